"""Metrics of a worker: delivered batches, refusals, dead letters, versions, and their bounds."""

import pytest
from prometheus_client import CollectorRegistry

from modstream.broker.loop.ports import BatchStats, HandlerResult, ModelCost
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.telemetry.process import ProcessMetrics
from modstream.telemetry.worker import MAX_NOTED, PrometheusHooks
from tests.modstream.telemetry.sample_processes import Cache


def measured(models=("online",)):
    metrics = ProcessMetrics.of(CollectorRegistry())
    hooks = metrics.add(PrometheusHooks())
    hooks.watch(Cache(models))
    return metrics.registry, hooks


def deliver(hooks, *costs, records=5):
    hooks.on_delivery(BatchStats(records, records + 1, 0.01, costs), 0.02)


def test_a_delivered_batch_is_measured():
    registry, hooks = measured()
    hooks.on_batch(BatchStats(5, 6, 0.01))
    assert registry.get_sample_value("modstream_worker_requests_total") == 0

    deliver(hooks, ModelCost("online", 5, 0.004))

    value = registry.get_sample_value
    assert value("modstream_worker_requests_total") == 5
    assert value("modstream_worker_produced_records_total") == 6
    assert value("modstream_worker_model_requests_total", {"model": "online"}) == 5
    assert value("modstream_worker_delivery_seconds_sum") == 0.02
    for bound, count in (("0.005", 0), ("0.01", 1), ("+Inf", 1)):
        assert value("modstream_worker_handling_seconds_bucket", {"le": bound}) == count


def test_a_hundred_thousand_names_that_were_never_loaded_are_one_series():
    registry, hooks = measured()
    for number in range(100_000):
        deliver(hooks, ModelCost(f"hostile-{number}", 1, 0.001), records=1)
    deliver(hooks, ModelCost("online", 3, 0.001))

    assert len(hooks._delivered) < MAX_NOTED

    value = registry.get_sample_value
    assert value("modstream_worker_model_requests_total", {"model": "other"}) == 100_000
    assert value("modstream_worker_model_requests_total", {"model": "online"}) == 3
    assert count_series(registry) < 200


def test_more_loaded_models_than_the_limit_share_a_series():
    names = [f"model-{number}" for number in range(60)]
    registry, hooks = measured(names)
    for name in names:
        deliver(hooks, ModelCost(name, 1, 0.001))
    assert registry.get_sample_value(
        "modstream_worker_model_requests_total", {"model": "other"}) == 10  # fmt: skip
    assert count_series(registry) < 2000


def test_versions_are_values_and_add_no_series():
    registry, hooks = measured()
    before = count_series(registry)
    for version in range(1, 1000):
        cache = Cache(["online"])
        cache.versions = dict.fromkeys(cache.versions, version)
        hooks.watch(cache)
    assert count_series(registry) == before
    labels = {"model": "online", "alias": "champion"}
    assert registry.get_sample_value("modstream_worker_model_version", labels) == 999


def test_dead_letters_are_counted_and_typed_errors_are_not():
    registry, hooks = measured()
    error, letter = (ProducerRecord(topic, None, b"") for topic in ("predictions", "dlq"))

    def handle(batch):
        for _ in batch:
            hooks.on_refusal("not_json", None)
        return HandlerResult([error, letter, letter])

    handler = hooks.handler(handle, "dlq")
    handler([])
    assert registry.get_sample_value("modstream_worker_dead_letters_total") == 0
    handler([request(at) for at in (1000, 2000, 3000)])
    assert registry.get_sample_value("modstream_worker_dead_letters_total") == 2
    code = {"code": "not_json"}
    assert registry.get_sample_value("modstream_worker_refusals_total", code) == 3


@pytest.mark.parametrize(
    ("timestamp", "count", "age"), [(97_500, 1, 2.5), (101_000, 1, 0), (0, 0, 0), (-1, 0, 0)]
)
def test_the_age_of_a_request_is_that_of_its_record_and_never_negative(timestamp, count, age):
    registry, hooks = measured()
    handler = hooks.handler(lambda _: HandlerResult([]), "dlq", now=lambda: 100.0)
    handler([request(timestamp), request(1)])
    value = registry.get_sample_value
    assert value("modstream_worker_request_age_seconds_count") == count
    assert value("modstream_worker_request_age_seconds_sum") == age


def request(timestamp):
    return Record("requests", 0, 0, None, b"", (), timestamp)


def count_series(registry):
    return sum(len(family.samples) for family in registry.collect())
