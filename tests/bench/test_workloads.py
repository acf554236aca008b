"""The workloads of the benchmark are what modstream answers."""

from types import SimpleNamespace

import pytest

from bench.payloads import ID, request_id
from bench.workloads import WORKLOADS
from modstream.broker.wire.codec import PREDICTION
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.runtimes.runtime import load
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings

OF_NUMBERS = [workload for workload in WORKLOADS if workload.form in {"row", "tensor"}]


@pytest.mark.parametrize("workload", OF_NUMBERS, ids=lambda workload: workload.name)
def test_the_model_of_a_workload_answers_its_requests(workload):
    draft, artifact = workload.exhibit()
    card = draft.card(1, artifact)
    loaded = SimpleNamespace(card=card, runtime=load(artifact, card))
    topics = Topics(workload.name)
    predict = Predict(
        topics, SimpleNamespace(get=lambda *_: loaded), PredictSettings((draft.name,))
    )

    answers = predict(
        [
            Record(topics.requests, 0, offset, sent.key, sent.value, sent.headers)
            for offset, sent in enumerate(workload.requests(topics.requests, 3))
        ]
    )

    assert [answer.key for answer in answers] == [request_id(n) for n in range(3)]
    assert all((Header.KIND, PREDICTION) in answer.headers for answer in answers)


@pytest.mark.parametrize("workload", OF_NUMBERS, ids=lambda workload: workload.name)
def test_the_payloads_of_a_workload_are_larger_together_than_what_compression_looks_back_on(
    workload,
):
    first, second = workload.drawn(2)

    assert first.value != second.value
    assert workload.variety * len(first.value) > 64 * 1024
    assert first.value.count(ID.encode()) == 1
