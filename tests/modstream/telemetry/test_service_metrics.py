"""Metrics of the joiner, the learner, the gateway and the process itself."""

import asyncio
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.trace_context import sampled_trace_id
from modstream.process.health import HealthFiles, HealthReport
from modstream.processors.learn.counts import LearnerCounts
from modstream.producers.gateway.call_stats import CallStats
from modstream.telemetry.gateway import GatewayMetrics
from modstream.telemetry.joiner import JoinerMetrics
from modstream.telemetry.learner import LearnerMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from tests.modstream.telemetry.sample_processes import TRACE, Partition, Probe

JOINED = {"outcome": "joined"}
ID = b"0af7651916cd43dd8448eb211c80319c"


def measured(source):
    metrics = ProcessMetrics.of(CollectorRegistry())
    metrics.add(source)
    return metrics.registry.get_sample_value


def joiner_of(partitions, *, is_active=True):
    return SimpleNamespace(partitions=partitions, is_active=is_active)


def test_a_joiner_counts_what_its_own_process_has_joined():
    joiner = JoinerMetrics()
    value = measured(joiner)
    joiner.update(joiner_of({0: Partition(factor=100)}))
    assert value("modstream_joiner_rows_total", JOINED) == 0  # Counted by an earlier process.

    joiner.update(joiner_of({0: Partition(factor=103)}))

    assert value("modstream_joiner_rows_total", JOINED) == 12
    assert value("modstream_joiner_label_delay_seconds_count") == 12
    assert value("modstream_joiner_label_delay_seconds_bucket", {"le": "10.0"}) == 9
    assert value("modstream_joiner_label_coverage_ratio", {"model": "online"}) == 0.4


def test_a_partition_that_moves_away_and_returns_is_counted_once():
    joiner = JoinerMetrics()
    value = measured(joiner)
    joiner.update(joiner_of({0: Partition(factor=1), 1: Partition(factor=1)}))
    joiner.update(joiner_of({0: Partition(factor=2)}))
    joiner.update(joiner_of({0: Partition(factor=0), 1: Partition(factor=0)}, is_active=False))
    joiner.update(joiner_of({0: Partition(factor=2), 1: Partition(factor=50)}))
    joiner.update(joiner_of({0: Partition(factor=3), 1: Partition(factor=51)}))
    assert value("modstream_joiner_rows_total", JOINED) == 4 + 4 + 4


def test_a_learner_counts_from_the_start_of_its_process_on():
    learner = LearnerMetrics()
    value = measured(learner)
    lead = SimpleNamespace(
        counts=LearnerCounts(learned=900, seen=1000), card=SimpleNamespace(version=4)
    )
    learner.watch({"single": lead})
    lead.counts.seen, lead.counts.learned = 1010, 905
    learner.update([])
    lead.counts.learned = 100  # The learner goes on from an earlier version.
    learner.update([])
    lead.counts.seen, lead.counts.learned = 1020, 103
    learner.update([])
    assert value("modstream_learner_feedback_records_total") == 20
    assert value("modstream_learner_feedback_outcomes_total", {"outcome": "learned"}) == 5 + 3
    assert value("modstream_learner_published_version", {"candidate": "single"}) == 4


def test_a_thousand_versions_of_a_model_have_one_series_for_each_metric():
    learner = LearnerMetrics()
    value = measured(learner)
    lead = SimpleNamespace(counts=LearnerCounts(), card=SimpleNamespace(version=4))
    learner.watch({"single": lead})
    for version in (None, *range(1, 1000)):
        scores = {"auc": 0.75, "window": 10, "auc_of_a_step": 1.0}
        learner.update([Metrics(kind="prequential", model="m", version=version, values=scores)])
    families = {family.name: family.samples for family in learner.collect()}
    assert len(families["modstream_learner_model_metric"]) == 1
    assert value("modstream_learner_model_metric", {"model": "m", "metric": "auc"}) == 0.75


def test_a_sampled_call_leaves_an_exemplar():
    gateway = GatewayMetrics()
    registry = CollectorRegistry()
    ProcessMetrics.of(registry).add(gateway)
    gateway.on_call(CallStats("prediction", "online", 0.02, TRACE))
    gateway.on_call(CallStats("prediction", "online", 0.3, ()))
    gateway.on_call(CallStats("overloaded", "", 0.0, ()))

    lines = generate_latest(registry).decode().splitlines()

    exemplars = [line for line in lines if " # {" in line]
    assert len(exemplars) == 1
    assert 'le="0.025"' in exemplars[0]
    assert 'trace_id="0af7651916cd43dd8448eb211c80319c"' in exemplars[0]
    assert registry.get_sample_value(
        "modstream_gateway_calls_total", {"outcome": "overloaded"}) == 1  # fmt: skip


@pytest.mark.parametrize(
    ("value", "trace_id"),
    [
        (TRACE[0][1], ID.decode()),
        (TRACE[0][1][:-2] + b"00", ""),
        (b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", ""),
        (b"cc-" + ID + b"-b7ad6b7169203331-03-later", ID.decode()),
        (b"", ""),
        (b"nonsense", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_trace_id_is_that_of_a_sampled_request(value, trace_id):
    assert sampled_trace_id((("tracestate", b"a=b"), ("traceparent", value))) == trace_id


def test_responses_over_http_are_counted_by_status():
    gateway = GatewayMetrics()
    value = measured(gateway)

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent = []

    async def send(message):
        sent.append(message["type"])

    asyncio.run(gateway.app(app)({"type": "http"}, None, send))
    assert sent == ["http.response.start", "http.response.body"]
    assert value("modstream_gateway_http_responses_total", {"status": "404"}) == 1


def test_the_lag_of_each_partition_and_the_health_are_those_of_the_last_report(tmp_path):
    metrics = ProcessMetrics.of(CollectorRegistry())
    value = metrics.registry.get_sample_value
    assert value("modstream_healthy") is None
    probe = metrics.probe(Probe("requests", 3))
    files = HealthFiles(tmp_path, metrics.on_health)

    assert (probe.deliveries(), probe.drained_polls(), probe.has_records({})) == (7, 3, False)
    probe.pending()
    files.write(HealthReport("w", True, "records wait", 3, 0.0))

    assert (value("modstream_healthy"), value("modstream_lag_records")) == (1, 3)
    labels = {"topic": "requests", "partition": "2"}
    assert value("modstream_partition_lag_records", labels) == 2

    files.write(HealthReport("w", False, "Kafka does not answer", None, 0.0))

    assert (value("modstream_healthy"), value("modstream_lag_records")) == (0, None)


def test_without_metrics_nothing_is_registered_and_probes_stay_as_they_are():
    probe = Probe("requests", 1)
    NO_METRICS.on_health(HealthReport("w", True, "", 0, 0.0))
    assert NO_METRICS.probe(probe) is probe
    assert not NO_METRICS.is_on
