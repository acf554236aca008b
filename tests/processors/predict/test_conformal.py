"""Answers with conformal sets and intervals: by the fast path as by the engine."""

import json
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.served_sets import ServedThreshold
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.predict.fast_path import FastPath, RequestHeads
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.steps import Decode
from tests.processors.small_fixtures import (
    StubLoadedModel,
    StubModelProvider,
    make_card,
    make_record,
)

TOPICS = Topics("s")
CLASSES = ("a", 'b",', "3")
THRESHOLDS = {
    "binary": ServedThreshold("binary", 0.9, 600, 0.5),
    "several": ServedThreshold("multiclass", 0.95, 601, 0.7),
    "number": ServedThreshold("regression", 0.8, 602, 1.5),
    "flags": ServedThreshold("multiclass", 0.9, 603, 0.7),
}


class Echo:
    """A runtime whose outputs are the features."""

    def predict(self, batch):
        matrix = np.stack(list(batch.columns.values()), axis=1)
        return matrix[:, 0] if matrix.shape[1] == 1 else matrix


def echo(name, task, classes, width):
    schema = InputSchema.of_floats([f"x{at}" for at in range(width)])
    return StubLoadedModel(make_card(name, task=task, classes=classes, schema=schema), Echo())


MODELS = {
    "binary": echo("binary", "binary", (), 1),
    "several": echo("several", "multiclass", CLASSES, 3),
    "number": echo("number", "regression", (), 1),
    "flags": echo("flags", "multiclass", tuple(f"c{at}" for at in range(20)), 20),
}
WIDTHS = {"binary": 1, "several": 3, "number": 1, "flags": 20}


class NoFastPath(FastPath):
    """A fast path that leaves every request to the engine."""

    def decode_heads(self, batch):
        size = len(batch.records)
        return RequestHeads([None] * size, [b""] * size, [None] * size)


def handler(thresholds, fast_path=FastPath):
    """Return a function from a batch of documents to the decoded responses."""
    settings = InferenceSettings(("binary",))
    handle = request_handler(
        TOPICS, StubModelProvider(MODELS), settings, thresholds=lambda: thresholds
    )
    handle._steps[0] = Decode(fast_path(settings, 10_000), 10_000)

    def answer(documents):
        batch = [make_record(json.dumps(one).encode(), at) for at, one in enumerate(documents)]
        return [json.loads(record.value) for record in handle(batch).records]

    return answer


def request(name, numbers, form="row"):
    features = {f"x{at}": one for at, one in enumerate(numbers)}
    if form == "tensor":
        tensor = {"name": "t", "shape": [1, len(numbers)], "datatype": "FP64", "data": numbers}
        return {"id": "r", "model": name, "inputs": [tensor]}
    return {"id": "r", "model": name, "features": [features] * 2 if form == "rows" else features}


probabilities = st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.7, 1.0]) | st.floats(0, 1)
requests = st.sampled_from(sorted(MODELS)).flatmap(
    lambda name: st.builds(
        request,
        st.just(name),
        st.lists(probabilities, min_size=WIDTHS[name], max_size=WIDTHS[name]),
        st.sampled_from(["row", "row", "rows", "tensor"]),
    )
)
values = st.sampled_from([0.5, 0.7, inf, -inf, 1.7e308]) | st.floats(0, 1)


@given(st.lists(requests, min_size=1, max_size=8), values)
def test_fast_path_makes_the_sets_that_the_engine_makes(documents, value):
    thresholds = {
        name: ServedThreshold(one.task, one.coverage, one.labels, value)
        for name, one in THRESHOLDS.items()
    }

    fast = [answer["outputs"] for answer in handler(thresholds)(documents)]

    slow = [answer["outputs"] for answer in handler(thresholds, NoFastPath)(documents)]
    assert fast == slow
    for document, outputs in zip(documents, fast, strict=True):
        rows = outputs if isinstance(outputs, list) else [outputs]
        assert all(("conformal" in row) is ("features" in document) for row in rows)


@pytest.mark.parametrize("fast_path", [FastPath, NoFastPath])
def test_answers_say_their_set_or_interval_its_coverage_and_its_labels(fast_path):
    several, number, binary = handler(THRESHOLDS, fast_path)(
        [
            request("several", [0.6, 0.3, 0.1]),
            request("number", [4.0]),
            request("binary", [0.25]),
        ]
    )

    assert several["outputs"]["conformal"] == {
        "set": ["a", 'b",'],
        "coverage": 0.95,
        "labels": 601,
    }
    assert several["outputs"]["label"] == "a"
    assert number["outputs"] == {
        "value": 4.0,
        "conformal": {"interval": [2.5, 5.5], "coverage": 0.8, "labels": 602},
    }
    assert binary["outputs"]["conformal"]["set"] == [False]


def test_models_without_a_threshold_and_versions_of_another_task_have_no_set():
    wrong = {"binary": ServedThreshold("regression", 0.9, 600, 0.5)}
    document = request("binary", [0.25])
    for thresholds in ({}, wrong):
        (answer,) = handler(thresholds)([document])
        assert answer["outputs"] == {"probability": 0.25}


def test_all_answers_of_a_batch_have_the_same_threshold():
    given_out = iter([THRESHOLDS, {}])
    settings = InferenceSettings(("binary",))
    handle = request_handler(
        TOPICS, StubModelProvider(MODELS), settings, thresholds=lambda: next(given_out)
    )
    documents = [request("binary", [0.25]), request("binary", [0.25], "rows")] * 3
    batch = [make_record(json.dumps(one).encode(), at) for at, one in enumerate(documents)]

    answers = [json.loads(record.value) for record in handle(batch).records]

    assert json.dumps(answers).count('"conformal"') == 9
