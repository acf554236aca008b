"""The express lane answers like the ordinary way, whatever is mixed into a batch."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.fast_codec import joined
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.predict import handler as module
from modstream.processors.predict.deduplication import Repeats
from modstream.processors.predict.fast_path import Express
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings, Timing
from modstream.processors.predict.outputs import as_tensors, by_name, row_parts, tensor_parts
from tests.processors.small_fixtures import Shelf, answers, card, fussy, iris, record, river

TOPICS = Topics("s")
MODELS = {"m": river("m"), "iris": iris(), "fussy": fussy(hates=13)}
GOOD = {"x": 1.5, "city": "LGA"}


class Never(Express):
    """A lane that nobody takes."""

    def read(self, batch, hand, late):
        return []


def handler(route, lane, *, record_features=True):
    repeats = Repeats(50, lambda _spans: [], lambda _home: 1)
    predict = Predict(
        TOPICS,
        Shelf(MODELS),
        PredictSettings(route, 2000, record_features=record_features),
        repeats,
        timing=Timing(lambda: 2.0),
    )
    predict._express = lane(TOPICS, predict._settings)
    return predict


def raw(request_id, numbers, shape=None, size=None, length=None, code="f"):
    """A request whose numbers are raw bytes, and the header that says where they begin."""
    tail = struct.pack(f"<{len(numbers)}{code}", *numbers)
    tensor = {
        "name": "t",
        "shape": shape or [1, len(numbers)],
        "datatype": {"f": "FP32", "d": "FP64"}[code],
        "parameters": {"binary_data_size": len(tail) if size is None else size},
    }
    head = json.dumps({"id": request_id, "inputs": [tensor]}).encode()
    header = str(len(head)).encode() if length is None else length
    return head + tail, ((Header.JSON_LENGTH, header),)


numbers = st.sampled_from([0.0, 1.5, 2, 13, 666, -7, 10**30, float("nan"), "1", None, True])
ids = st.sampled_from(["a", "b", "ü", 'q",', "", 7]) | st.integers(0, 99).map("r-{}".format)
rows = (
    st.just(GOOD)
    | st.fixed_dictionaries({"a": numbers, "b": numbers}, optional={"c": numbers})
    | st.lists(st.fixed_dictionaries({"a": numbers, "b": numbers}), max_size=2)
)
matrices = st.fixed_dictionaries(
    {
        "name": st.just("t"),
        "shape": st.sampled_from([[1, 2], [2, 1], [2]]),
        "datatype": st.sampled_from(["FP32", "INT64", "BYTES"]),
        "data": st.lists(numbers, min_size=2, max_size=2),
    }
)
requests = st.fixed_dictionaries(
    {"id": ids},
    optional={
        "features": rows,
        "inputs": st.lists(matrices, min_size=1, max_size=2),
        "model": st.sampled_from(["m", "iris", "fussy", "nobody", "a b"]),
        "version": st.sampled_from(["champion", 1, 0, 9]),
        "event_time": st.sampled_from([7, None, "x"]),
    },
)
headers = st.sampled_from(
    [
        (),
        (),
        (),
        (("traceparent", b"1"),),
        ((Header.DEADLINE, b"1"),),
        ((Header.JSON_LENGTH, b"9"),),
    ]
)
plain = st.tuples(requests.map(lambda document: json.dumps(document).encode()), headers)
binary = st.builds(
    raw,
    st.sampled_from(["u", "v", "w"]),
    st.lists(st.sampled_from([0.0, 1.5, 13.0, 666.0, float("inf")]), min_size=1, max_size=3),
    st.sampled_from([None, None, [1, 2], [2]]),
    st.sampled_from([None, None, 8, 0]),
    st.sampled_from([None, None, b"0", b"9999", b"x"]),
    st.sampled_from("ffd"),
)
batches = st.lists(plain | binary | st.just((None, ())) | st.just((b"?", ())), max_size=12)


@settings(max_examples=60)
@given(batches, st.sampled_from([("m",), ("iris",), ("fussy",), ("iris", "fussy")]), st.booleans())
def test_the_express_lane_answers_like_the_ordinary_way(batch, route, keep):
    records = [
        record(value, offset, key=[b"k", None][offset % 2], headers=headers, partition=offset % 3)
        for offset, (value, headers) in enumerate(batch)
    ]

    ordinary = handler(route, Never, record_features=keep)(records)
    express = handler(route, Express, record_features=keep)(records)

    assert [one._replace(value=None) for one in express] == [
        one._replace(value=None) for one in ordinary
    ]
    assert answers(express) == answers(ordinary)


@pytest.mark.parametrize(
    "value",
    [
        (json.dumps({"id": "r", "features": {"a": 1, "b": 2}}).encode(), ()),
        (
            json.dumps(
                {
                    "id": "r",
                    "inputs": [{"name": "t", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}],
                    "event_time": 5,
                }
            ).encode(),
            (),
        ),
        raw("r", [1.0, 2.0]),
    ],
    ids=["row", "matrix", "raw"],
)
@pytest.mark.parametrize("route", [("iris",), ("fussy", "iris")])
def test_the_usual_forms_take_the_express_lane(value, route, monkeypatch):
    monkeypatch.setattr(module, "decode_request", None)

    found = answers(handler(route, Express)([record(value[0], headers=value[1])]))

    assert [answer.model for answer in found] == list(route)
    assert found[0].features == {"a": 1.0, "b": 2.0}


def test_raw_tensors_of_any_type_are_answered():
    value, headers = raw("r", [1.0, 2.0], code="d")

    (answer,) = answers(handler(("fussy",), Express)([record(value, headers=headers)]))

    assert answer.outputs[0].data == [0.01]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (raw("r", [1.0, 2.0], size=4), "contract_violated"),
        (raw("r", [1.0, 2.0], size=12), "contract_violated"),
        (raw("r", [1.0, float("nan")]), "not_finite"),
        (raw("r", [1.0, 2.0, 3.0]), "missing_feature"),
    ],
)
def test_raw_tensors_that_are_not_what_they_say_are_refused(value, code):
    (answer,) = answers(handler(("fussy",), Express)([record(value[0], headers=value[1])]))

    assert (answer.id, answer.code) == ("r", code)


def test_a_length_that_is_none_makes_a_dead_letter():
    value, headers = raw("r", [1.0, 2.0], length=b"999")

    (letter,) = handler(("fussy",), Express)([record(value, headers=headers)])

    assert (letter.topic, letter.value) == ("s.dlq", value)


def test_a_value_that_the_runtime_cannot_stand_costs_its_own_request_only():
    batch = [
        record(json.dumps({"id": f"r-{n}", "features": {"a": n, "b": 0}}).encode(), n)
        for n in range(30)
    ]

    found = answers(handler(("fussy",), Express)(batch))

    assert [answer.id for answer in found] == [f"r-{n}" for n in range(30)]
    assert [getattr(answer, "code", None) for answer in found].count("no_answer") == 1


@pytest.mark.parametrize("task", ["binary", "regression", "anomaly", "multiclass"])
def test_outputs_written_by_columns_say_what_they_say_one_by_one(task):
    scores = np.array([[0.1, 0.7, 0.2], [1e-9, 0.0, 1.0]])
    known = card(task=task, classes=("a", 'b",', 3))
    if task != "multiclass":
        known, scores = card(task=task), scores[:, 0]

    rows = [json.loads(one) for one in joined(row_parts(known, scores))]
    tensors = [json.loads(one) for one in joined(tensor_parts(known, scores))]

    assert rows == [by_name(known, score) for score in scores]
    assert [tuple(Tensor(**tensor) for tensor in one) for one in tensors] == [
        as_tensors(known, scores[at : at + 1]) for at in range(2)
    ]
