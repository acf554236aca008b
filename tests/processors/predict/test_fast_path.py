"""The fast path answers like the engine, for any mix of requests in a batch."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.fast_codec import join_columns
from modstream.broker.wire.tensor_binary import encode_values
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.predict import state, steps
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.fast_path import FastPath, RequestHeads
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.outputs import as_tensors, by_name, row_columns, tensor_columns
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.steps import Decode
from tests.processors.small_fixtures import (
    StubModelProvider,
    decode_responses,
    iris_model,
    make_card,
    make_record,
    rejecting_model,
    river_model,
)

TOPICS = Topics("s")
MODELS = {"m": river_model("m"), "iris": iris_model(), "fussy": rejecting_model(rejected_value=13)}
GOOD = {"x": 1.5, "city": "LGA"}
CLASSES_BY_DATATYPE = {
    "BYTES": ("a", 'b",', "3"),
    "BOOL": (False, True, False),
    "INT64": (-3, 2**53, 7),
    "FP64": (0.5, 1.0, 1e300),
    "numbers": (1, 2.5, 3),
    "mixed": ("a", 'b",', 3),
    "flags": (True, 0, 1),
    "beyond": (2**63, 1, 2),
}
DATATYPES = ("BYTES", "BOOL", "INT64", "FP64")
RAW_DATATYPES = {"f": "FP32", "d": "FP64", "b": "BF16"}


class NoFastPath(FastPath):
    """A fast path that leaves every request to the engine."""

    def decode_heads(self, batch):
        size = len(batch.records)
        return RequestHeads([None] * size, [b""] * size, [None] * size)


def handler(route, fast_path, *, record_features=True):
    """Return a function from a batch to its response records."""
    settings = InferenceSettings(route, record_features=record_features)
    handle = request_handler(
        TOPICS,
        StubModelProvider(MODELS),
        settings,
        max_request_bytes=2000,
        deduplicator=Deduplicator(50, lambda _ranges: [], lambda _partition: 1),
        now=lambda: 2.0,
    )
    handle._steps[0] = Decode(fast_path(settings, 2000), 2000)
    return lambda batch: handle(batch).records


def raw(request_id, numbers, shape=None, size=None, length=None, code="f"):
    """A request whose numbers are raw bytes, and the header that says where they begin."""
    tail = encode_values(RAW_DATATYPES[code], numbers)
    tensor = {
        "name": "t",
        "shape": shape or [1, len(numbers)],
        "datatype": RAW_DATATYPES[code],
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
        "datatype": st.sampled_from(["FP32", "BF16", "INT64", "BYTES"]),
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
    st.sampled_from("ffdb"),
)
batches = st.lists(plain | binary | st.just((None, ())) | st.just((b"?", ())), max_size=12)


@settings(max_examples=60)
@given(batches, st.sampled_from([("m",), ("iris",), ("fussy",), ("iris", "fussy")]), st.booleans())
def test_the_fast_path_answers_like_the_engine(batch, route, keep):
    records = [
        make_record(
            value, offset, key=[b"k", None][offset % 2], headers=headers, partition=offset % 3
        )
        for offset, (value, headers) in enumerate(batch)
    ]

    slow = handler(route, NoFastPath, record_features=keep)(records)
    fast = handler(route, FastPath, record_features=keep)(records)

    assert [one._replace(value=None) for one in fast] == [one._replace(value=None) for one in slow]
    assert decode_responses(fast) == decode_responses(slow)


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
def test_common_formats_take_the_fast_path(value, route, monkeypatch):
    monkeypatch.setattr(steps, "decode_request", None)
    monkeypatch.setattr(state, "decode_head", None)

    found = decode_responses(handler(route, FastPath)([make_record(value[0], headers=value[1])]))

    assert [answer.model for answer in found] == list(route)
    assert found[0].features == {"a": 1.0, "b": 2.0}


def test_raw_tensors_of_any_type_are_answered():
    value, headers = raw("r", [1.0, 2.0], code="d")

    (answer,) = decode_responses(
        handler(("fussy",), FastPath)([make_record(value, headers=headers)])
    )

    assert answer.outputs[0].data == [0.01]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (raw("r", [1.0, 2.0], size=4), "contract_violated"),
        (raw("r", [1.0, 2.0], size=12), "contract_violated"),
        (raw("r", [1.0, float("nan")]), "not_finite"),
        (raw("r", [1.0, 2.0, 3.0]), "wrong_shape"),
    ],
)
def test_raw_tensors_that_contradict_their_metadata_are_refused(value, code):
    (answer,) = decode_responses(
        handler(("fussy",), FastPath)([make_record(value[0], headers=value[1])])
    )

    assert (answer.id, answer.code) == ("r", code)


def test_an_invalid_json_length_makes_a_dead_letter():
    value, headers = raw("r", [1.0, 2.0], length=b"999")

    (letter,) = handler(("fussy",), FastPath)([make_record(value, headers=headers)])

    assert (letter.topic, letter.value) == ("s.dlq", value)


def test_a_row_that_fails_in_the_runtime_costs_its_own_request_only():
    batch = [
        make_record(json.dumps({"id": f"r-{n}", "features": {"a": n, "b": 0}}).encode(), n)
        for n in range(30)
    ]

    found = decode_responses(handler(("fussy",), FastPath)(batch))

    assert [answer.id for answer in found] == [f"r-{n}" for n in range(30)]
    assert [getattr(answer, "code", None) for answer in found].count("no_output") == 1


@pytest.mark.parametrize(
    ("task", "classes"),
    [
        *((task, ()) for task in ("binary", "regression", "anomaly")),
        *(("multiclass", classes) for classes in CLASSES_BY_DATATYPE.values()),
    ],
)
def test_outputs_encoded_by_columns_equal_outputs_one_by_one(task, classes):
    scores = np.array([[0.1, 0.7, 0.2], [1e-9, 0.0, 1.0]])
    known = make_card(task=task, classes=classes)
    if task != "multiclass":
        known, scores = make_card(task=task), scores[:, 0]

    rows = [json.loads(one) for one in join_columns(row_columns(known, scores))]
    tensors = [json.loads(one) for one in join_columns(tensor_columns(known, scores))]

    assert rows == [by_name(known, score) for score in scores]
    assert tensors == [
        [json.loads(tensor.model_dump_json()) for tensor in as_tensors(known, scores[at : at + 1])]
        for at in range(2)
    ]


@pytest.mark.parametrize("datatype", [name for name in CLASSES_BY_DATATYPE if name in DATATYPES])
def test_labels_have_the_datatype_of_the_classes(datatype):
    classes = CLASSES_BY_DATATYPE[datatype]
    known = make_card(task="multiclass", classes=classes)

    _, label = as_tensors(known, np.array([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]]))

    assert (label.datatype, label.data) == (datatype, [classes[1], classes[0]])
    assert list(map(type, label.data)) == [type(classes[1]), type(classes[0])]


def test_raw_bf16_numbers_are_answered_like_the_fp32_numbers_that_they_equal():
    sent = [raw(request_id, [1.5, -2.0], code=code) for request_id, code in ("ub", "vf")]
    batch = [make_record(value, at, headers=headers) for at, (value, headers) in enumerate(sent)]

    bf16, fp32 = decode_responses(handler(("iris",), FastPath)(batch))

    assert bf16.outputs == fp32.outputs
    assert bf16.features == fp32.features == {"a": 1.5, "b": -2.0}
