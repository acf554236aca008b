"""The monitoring of the demo's models on flights, here on a few made ones."""

import numpy as np
import pandas as pd
import pytest

from bench.monitoring import Season, coverage_verdict, monitored_rows, predict_online, report
from modstream.models.evaluation.monitoring.model_monitoring import monitor_model
from modstream.producers.replay.flights import NUMBERS
from modstream.report.report_table import ReportTable

MARCH = 1_362_096_000_000
MINUTE = 60_000


@pytest.fixture(scope="module")
def season() -> Season:
    """Return 1,200 flights of March and April, of which those of one carrier are late."""
    rng, size = np.random.default_rng(1), 1200
    scheduled = MARCH + np.arange(size) * 61 * 24 * 60 * MINUTE // size
    carriers = rng.choice(["UA", "B6"], size)
    flights = pd.DataFrame(
        {
            "date": pd.to_datetime(scheduled, unit="ms").normalize(),
            "scheduled_ms": scheduled,
            "landed_ms": scheduled + 180 * MINUTE,
            "late": rng.random(size) < np.where(carriers == "B6", 0.7, 0.1),
            "carrier": carriers,
            "origin": rng.choice(["EWR", "JFK", "LGA"], size),
            "dest": rng.choice(["ATL", "BOS"], size),
            **{name: rng.normal(size=size) for name in NUMBERS},
        }
    )
    return Season(flights, (flights["date"].dt.month >= 4).to_numpy())


def test_online_model_learns_a_flight_only_when_it_has_landed(season):
    found = predict_online(season)

    assert len(found) == season.is_scored.sum()
    late = season.scored["carrier"].to_numpy() == "B6"
    assert found[late].mean() > found[~late].mean() + 0.2


def test_all_tables_are_printed(season):
    parts = list(report(season, ["online"]))

    titles = [one.title for one in parts if isinstance(one, ReportTable)]
    assert titles == [
        "Slices of online by value",
        "Worst slices of online",
        "Calibration errors",
        "Coverage and calibration of online by day",
        "Drift per feature: PSI against January to March",
    ]
    lines = [one for one in parts if isinstance(one, str)]
    assert lines[0].startswith("online: coverage")


def test_verdict_tells_whether_the_coverage_is_within_the_tolerance(season):
    certain = np.where(season.scored["late"], 0.9, 0.1)
    monitored = monitor_model("online", monitored_rows(season, certain))

    assert "NOT within" in coverage_verdict(monitored)
