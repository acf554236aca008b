"""The load generator: latencies from intended send times, and every request counted."""

from threading import Event
from time import sleep

import numpy as np
import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Request
from modstream.producers.load.report import LatencyPercentiles
from modstream.producers.load.run import LoadRun, run_load
from modstream.producers.load.schedule import LoadPlan
from modstream.producers.records.bad_records import BAD_RECORDS, TOO_LARGE
from modstream.producers.records.random_rows import parse_feature_specs

pytestmark = pytest.mark.slow

FEATURES = parse_feature_specs(
    (
        {"name": "age", "kind": "float", "low": 0, "high": 99},
        {"name": "town", "kind": "string"},
        {"name": "visits", "kind": "int", "low": 3, "high": 5},
        {"name": "member", "kind": "bool"},
    )
)


def run(plan, stream, topics, stop=None):
    return LoadRun(plan, FEATURES, topics).run(stream, stream, stop or Event())


def requests_of(stream, topics) -> list[Request]:
    return [decode(Request, record.value) for record in stream.broker.read(topics.requests)]


def test_every_request_is_sent_answered_and_counted(stream, topics):
    report = run(LoadPlan(rate=500, seconds=0.4), stream, topics)

    assert report.planned == report.sent == report.answered == 200
    assert (report.unanswered, report.extra_responses, report.errors, report.bad) == (0, 0, {}, {})
    assert report.throughput == pytest.approx(200 / report.seconds)
    assert len({request.id for request in requests_of(stream, topics)}) == 200


def test_a_stalled_sink_shows_in_the_latency_of_all_delayed_requests(stream, topics):
    """No coordinated omission: 60 requests are due in a stall of 0.6 s; all of them are late."""
    worker = stream.worker

    def stalls_once(record):
        if record.offset == 20:
            sleep(0.6)
        return worker(record)

    stream.worker = stalls_once
    report = run(LoadPlan(rate=100, seconds=1), stream, topics)

    assert report.answered == 100
    assert report.latency_ms.max >= 600
    assert report.latency_ms.p50 > 100, "most requests were due during the stall"
    assert report.late_sends > 50
    assert report.max_send_delay_ms > 500


def test_an_idle_generator_keeps_to_its_schedule(stream, topics):
    report = run(LoadPlan(rate=50, seconds=0.4), stream, topics)

    assert report.latency_ms.p50 < 50
    assert report.late_sends <= report.sent / 2


def test_bad_records_are_counted_by_kind_and_exit(stream, topics):
    kinds = ("not_json", "no_features", "not_utf8", TOO_LARGE)

    report = run(LoadPlan(rate=400, seconds=0.5, bad_share=0.3, bad_kinds=kinds), stream, topics)

    exits = {kind: set(counts) for kind, counts in report.bad.items()}
    assert exits == {
        "not_json": {"dead_letter"},
        "no_features": {"error:contract_violated"},
        "not_utf8": {"dead_letter"},
        TOO_LARGE: {"dead_letter"},
    }
    assert report.sent == report.answered
    assert report.sent + sum(sum(c.values()) for c in report.bad.values()) == report.planned
    assert report.errors == {}


def test_errors_for_good_requests_are_counted_by_code_and_as_answered(stream, topics):
    def break_request(template):
        return template.replace(b'"features"', b'"fixtures"')

    load = LoadRun(LoadPlan(rate=200, seconds=0.1), FEATURES, topics)
    load._templates._good = [break_request(template) for template in load._templates._good]
    report = load.run(stream, stream, Event())

    assert report.errors == {"contract_violated": 20}
    assert report.answered == 20


def test_good_requests_among_the_dead_letters_are_unanswered(stream, topics):
    report = run(LoadPlan(rate=100, seconds=0.05, padding_bytes=1_500_000), stream, topics)

    assert (report.sent, report.answered) == (5, 0)
    assert (report.unanswered, report.dead_letters) == (5, 5)
    assert report.latency_ms is None
    assert report.throughput == 0


def test_requests_without_a_response_are_reported_after_the_drain_timeout(stream, topics):
    worker = stream.worker
    stream.worker = lambda record: worker(record) if record.offset % 2 else ()

    report = run(LoadPlan(rate=100, seconds=0.2, drain_timeout_seconds=0.1), stream, topics)

    assert (report.sent, report.answered, report.unanswered) == (20, 10, 10)


def test_responses_of_further_models_are_counted_as_extra(stream, topics, make_worker):
    stream.worker = make_worker(topics, "online", "frozen")

    report = run(LoadPlan(rate=100, seconds=0.2), stream, topics)

    assert report.answered == 20
    assert 0 < report.extra_responses <= 20


def test_a_stopped_run_reports_what_it_sent(stream, topics):
    stop = Event()
    worker = stream.worker

    def stops(record):
        if record.offset == 9:
            stop.set()
        return worker(record)

    stream.worker = stops
    report = run(LoadPlan(rate=1000, seconds=60), stream, topics, stop)

    assert report.planned == 60_000
    assert report.sent == report.answered == 10


def test_responses_to_other_runs_are_not_counted(stream, topics):
    run(LoadPlan(run_id="other", rate=100, seconds=0.1), stream, topics)
    stream._read.clear()

    report = run(LoadPlan(run_id="mine", rate=100, seconds=0.1), stream, topics)

    assert report.answered == 10
    assert report.extra_responses == 0


@pytest.mark.parametrize(
    ("request_format", "rows"), [("row", 1), ("row", 5), ("tensor", 1), ("tensor", 5)]
)
def test_requests_have_the_format_and_the_number_of_rows_of_the_plan(
    request_format, rows, stream, topics
):
    plan = LoadPlan(
        rate=100,
        seconds=0.03,
        request_format=request_format,
        rows=rows,
        padding_bytes=500,
        model="online",
    )
    run(plan, stream, topics)

    record = stream.broker.read(topics.requests)[0]
    request = decode(Request, record.value)
    assert request.model == "online"
    assert len(record.value) > 500
    if request_format == "row":
        found = [request.features] if rows == 1 else list(request.features)
        assert len(found) == rows
        assert all(3 <= row["visits"] <= 5 and 0 <= row["age"] <= 99 for row in found)
    else:
        assert {tensor.name: tensor.datatype for tensor in request.inputs} == {
            "age": "FP64",
            "town": "BYTES",
            "visits": "INT64",
            "member": "BOOL",
        }
        assert all(t.shape == (rows,) and len(t.data) == rows for t in request.inputs)


def test_two_runs_of_one_plan_send_the_same_requests(stream, topics, make_worker):
    plan = LoadPlan(rate=200, seconds=0.1, keys=5, zipf_exponent=1, bad_share=0.2)
    run(plan, stream, topics)
    run(plan, stream, topics)

    sent = [(record.key, record.value) for record in stream.broker.read(topics.requests)]
    assert sent[:20] == sent[20:]


def test_the_percentiles_match_the_latencies():
    latency = LatencyPercentiles.from_seconds(np.arange(1, 1001) / 1000)

    assert latency.p50 == pytest.approx(500, rel=0.002)
    assert latency.p99 == pytest.approx(990, rel=0.002)
    assert latency.p99_9 == pytest.approx(999, rel=0.002)
    assert latency.max == pytest.approx(1000, rel=0.002)


def test_a_report_converts_to_plain_data(stream, topics):
    report = run(LoadPlan(rate=100, seconds=0.05), stream, topics).to_dict()

    assert report["sent"] == 5
    assert set(report["latency_ms"]) == {"p50", "p90", "p99", "p99_9", "max"}


@pytest.mark.real
def test_a_load_run_against_a_real_kafka_loses_nothing(bootstrap, topics, kafka_worker):
    connection = Connection(bootstrap)
    Admin(connection).create(topics.specs(4))
    plan = LoadPlan(
        rate=300, seconds=2, keys=20, zipf_exponent=1, bad_share=0.05, bad_kinds=tuple(BAD_RECORDS)
    )

    with kafka_worker(topics, "online"):
        report = run_load(connection, topics, plan, FEATURES)

    assert report.sent == report.answered
    assert report.sent + sum(sum(c.values()) for c in report.bad.values()) == 600
    assert set(report.bad[TOO_LARGE]) == {"dead_letter"}
    assert all("nothing" not in exits for exits in report.bad.values())
    assert len(list(read_to_end(connection, [topics.requests]))) == 600
