"""The loads of the latency part, and the measurements of their reports."""

from dataclasses import replace

import pytest

from bench.latency import LoadCase, latency_measurements, load_cases
from bench.results import Measurement, Missing
from bench.rounds import BenchPlan
from bench.systems import MODSTREAM
from modstream.producers.load.report import LatencyPercentiles, LoadReport

HALF = LoadCase("half", 50.0, 1.0)
REPORT = LoadReport(
    planned=100,
    sent=100,
    answered=100,
    errors={},
    unanswered=0,
    dead_letters=0,
    extra_responses=0,
    late_sends=2,
    max_send_delay_ms=11.0,
    seconds=1.0,
    throughput=100.0,
    latency_ms=LatencyPercentiles(p50=3.0, p90=4.0, p99=9.0, p99_9=20.0, max=21.0),
    bad={},
)


def test_the_loads_are_shares_of_the_capacity_and_shortened_bursts():
    *steady, bursts = load_cases(1000.0, BenchPlan((), seconds=8.0))

    assert [load.rate for load in steady] == [250.0, 500.0, 750.0]
    assert [(p.factor, p.seconds) for p in bursts.phases] == [
        (0.7, pytest.approx(12.0)),
        (1.1, pytest.approx(3.0)),
    ]
    assert bursts.seconds == pytest.approx(15.0)


def test_a_report_gives_percentiles_and_the_share_of_late_sends():
    found = list(latency_measurements(HALF, MODSTREAM[0], REPORT))

    assert all(isinstance(one, Measurement) for one in found)
    assert {one.measure: one.value for one in found} == {
        "p50 ms": 3.0,
        "p99 ms": 9.0,
        "p99.9 ms": 20.0,
        "late sends %": 2.0,
    }


def test_a_run_with_unanswered_requests_has_no_percentiles():
    (missing,) = latency_measurements(
        HALF, MODSTREAM[0], replace(REPORT, answered=99, unanswered=1)
    )

    assert missing == Missing(
        "latency",
        "half",
        "modstream",
        "exactly_once",
        "modstream, exactly once: 1 of 100 requests unanswered",
    )
