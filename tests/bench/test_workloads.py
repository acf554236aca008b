"""The workloads of the benchmark are requests that modstream can predict."""

from types import SimpleNamespace

import pytest

from bench.payloads import ID_PLACEHOLDER, request_id
from bench.workloads import WORKLOADS
from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings

OF_NUMBERS = [workload for workload in WORKLOADS if workload.format in {"row", "tensor"}]


@pytest.mark.slow
@pytest.mark.parametrize("workload", OF_NUMBERS, ids=lambda workload: workload.name)
def test_the_model_of_a_workload_predicts_its_requests(workload):
    spec, artifact = workload.make_model()
    card = spec.make_card(1, Artifact(artifact))
    loaded = SimpleNamespace(card=card, runtime=load(Artifact(artifact), card))
    topics = Topics(workload.name)
    models = SimpleNamespace(get=lambda *_: loaded)
    handle = request_handler(topics, models, InferenceSettings((spec.name,)))

    responses = handle(
        [
            Record(topics.requests, 0, offset, sent.key, sent.value, sent.headers)
            for offset, sent in enumerate(workload.requests(topics.requests, 3))
        ]
    ).records

    assert [response.key for response in responses] == [request_id(n) for n in range(3)]
    assert all((Header.KIND, KIND_PREDICTION) in response.headers for response in responses)


@pytest.mark.parametrize("workload", OF_NUMBERS, ids=lambda workload: workload.name)
def test_the_payloads_of_a_workload_exceed_the_window_of_the_compression(
    workload,
):
    first, second = workload.draw_payloads(2)

    assert first.value != second.value
    assert workload.distinct_payloads * len(first.value) > 64 * 1024
    assert first.value.count(ID_PLACEHOLDER.encode()) == 1
