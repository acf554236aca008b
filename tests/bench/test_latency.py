"""The loads of the latency part, and what their reports come to."""

from dataclasses import replace

import pytest

from bench.latency import Load, loads, percentiles
from bench.results import Finding, Gap
from bench.rounds import Plan
from bench.systems import OURS
from modstream.producers.load.report import Latency, LoadReport

HALF = Load("half", 50.0, 1.0)
REPORT = LoadReport(
    planned=100,
    sent=100,
    answered=100,
    errors={},
    unanswered=0,
    dead_letters=0,
    repeated=0,
    late_sends=2,
    most_late_ms=11.0,
    seconds=1.0,
    throughput=100.0,
    latency_ms=Latency(p50=3.0, p90=4.0, p99=9.0, p99_9=20.0, max=21.0),
    bad={},
)


def test_the_loads_are_shares_of_the_capacity_and_bursts_in_a_tenth_of_their_time():
    *steady, bursts = loads(1000.0, Plan((), seconds=8.0))

    assert [load.rate for load in steady] == [250.0, 500.0, 750.0]
    assert [(p.factor, p.seconds) for p in bursts.shape] == [
        (0.7, pytest.approx(12.0)),
        (1.1, pytest.approx(3.0)),
    ]
    assert bursts.seconds == pytest.approx(15.0)


def test_a_report_comes_to_percentiles_and_to_the_share_of_late_sends():
    found = list(percentiles(HALF, OURS[0], REPORT))

    assert all(isinstance(one, Finding) for one in found)
    assert {one.measure: one.value for one in found} == {
        "p50 ms": 3.0,
        "p99 ms": 9.0,
        "p99.9 ms": 20.0,
        "late sends %": 2.0,
    }


def test_percentiles_of_a_run_that_left_requests_unanswered_are_not_told():
    (gap,) = percentiles(HALF, OURS[0], replace(REPORT, answered=99, unanswered=1))

    assert gap == Gap(
        "latency",
        "half",
        "modstream",
        "exactly_once",
        "modstream, exactly once: 1 of 100 requests unanswered",
    )
