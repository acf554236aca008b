"""Every number, text, list and depth in a message has a bound, and both codecs know it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from modstream.broker.errors import DecodeError
from modstream.broker.wire import contracts, model_contracts
from modstream.broker.wire.bounds import MAX_EVENT_TIME, MAX_OUTPUT_DEPTH, MAX_VERSION
from modstream.broker.wire.codec import decode, decode_request
from modstream.broker.wire.contracts import (
    Feedback,
    Label,
    Prediction,
    Quarantined,
    Request,
    Unjoined,
)
from modstream.broker.wire.fast_codec import HeadDecoder, MatrixDecoder
from modstream.broker.wire.feedback_codec import FeedbackDecoder
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker
from modstream.broker.wire.records import Record
from modstream.broker.wire.request_codec import decode_head
from modstream.broker.wire.tensor_binary import decode_strings, with_tensor_data
from modstream.broker.wire.topics import Header

HUGE = 10**400
SOURCE = {"topic": "t", "partition": 0, "offset": 0}
JOINED = {"model": "m", "version": 1, "outputs": {"probability": 0.5}}
TENSOR = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}
GOOD = {
    Request: {"id": "r", "features": {"x": 1}, "version": 1, "event_time": 1},
    Prediction: {**JOINED, "id": "r", "event_time": 1, "source": SOURCE},
    Label: {"id": "r", "label": 1, "event_time": 1, "revision": 0},
    Feedback: {
        "id": "r", "label": 1, "predictions": [JOINED], "features": {"x": 1}, "event_time": 1,
        "label_time": 1, "revises": 0,
    },
    Unjoined: {"id": "r", "reason": "late", "label": 1, "event_time": 1, "label_time": 1},
    Quarantined: {"id": "r", "model": "m", "rule": "a", "detail": "b", "source": SOURCE},
    VersionMarker: {"model": "m", "ref": 1, "version": 1, "sha256": "a", "source": SOURCE},
    Metrics: {
        "kind": "lag", "version": 1, "values": {"a": 1}, "event_time": 1, "offsets": {"t:0": 1},
    },
    ModelEvent: {"model": "m", "version": 1, "action": "publish", "at": 1, "event_time": 1},
}  # fmt: skip
DEEP = {"a": 1}
for _ in range(MAX_OUTPUT_DEPTH + 1):
    DEEP = {"a": DEEP}


def dumps(document):
    return json.dumps(document).encode()


def refused(contract, document):
    with pytest.raises(DecodeError) as caught:
        decode(contract, dumps(document))
    return str(caught.value)


@pytest.mark.parametrize(("contract", "document"), GOOD.items(), ids=lambda one: str(one)[-20:])
def test_examples_are_valid(contract, document):
    decode(contract, dumps(document))


BAD_FIELDS = [
    (contract, field, bad)
    for contract, document in GOOD.items()
    for field, value in document.items()
    for bad in ((HUGE, -HUGE, 2**63) if field != "label" and type(value) is int else ())
    if (field, bad) not in {("revises", HUGE), ("revises", -HUGE), ("revises", 2**63)}
]


@pytest.mark.parametrize(("contract", "field", "bad"), BAD_FIELDS)
def test_every_integer_has_a_bound(contract, field, bad):
    assert field in refused(contract, {**GOOD[contract], field: bad})


@pytest.mark.parametrize("bad", [-1, HUGE, 2**63])
@pytest.mark.parametrize("field", ["partition", "offset"])
def test_positions_have_bounds(field, bad):
    document = {**GOOD[Prediction], "source": {**SOURCE, field: bad}}

    assert f"source.{field}" in refused(Prediction, document)


@pytest.mark.parametrize(
    ("contract", "document"),
    [
        (Request, {"version": "v" * 65}),
        (Request, {"features": {"x" * 1025: 1}}),
        (Request, {"features": None, "inputs": [{**TENSOR, "name": "x" * 1025}]}),
        (Request, {"features": None, "inputs": [{**TENSOR, "shape": [1] * 17}]}),
        (Request, {"features": None, "inputs": [{**TENSOR, "shape": [2**20, 2**20]}]}),
        (Request, {"features": None, "inputs": [{**TENSOR, "shape": [HUGE]}]}),
        (Request, {"features": None, "inputs": [TENSOR] * 1001}),
        (Label, {"label": "x" * 1025}),
        (Label, {"label": "1" * 1025}),
        (Label, {"label": HUGE}),
        (Label, {"label": float("nan")}),
        (Label, {"label": float("-inf")}),
        (Label, {"revision": 10**18}),
        (Prediction, {"outputs": DEEP}),
        (Prediction, {"outputs": {"value": HUGE}}),
        (Prediction, {"outputs": [{"value": [HUGE]}]}),
        (Prediction, {"source": {**SOURCE, "topic": "t" * 250}}),
        (Feedback, {"predictions": [JOINED] * 1001}),
        (Feedback, {"predictions": [{**JOINED, "outputs": {"value": HUGE}}]}),
        (Feedback, {"predictions": [{**JOINED, "outputs": DEEP}]}),
        (Feedback, {"predictions": [{**JOINED, "version": HUGE}]}),
        (Feedback, {"label": "x" * 1025}),
        (Quarantined, {"detail": "x" * 20_000}),
        (Quarantined, {"rule": "x" * 101}),
        (VersionMarker, {"ref": "x" * 65}),
        (VersionMarker, {"sha256": "x" * 101}),
        (Metrics, {"values": {"x" * 1025: 1}}),
        (Metrics, {"offsets": {"t:0": HUGE}}),
        (ModelEvent, {"alias": "x" * 65}),
        (ModelEvent, {"reason": "x" * 20_000}),
    ],
)
def test_texts_lists_numbers_and_depths_have_bounds(contract, document):
    whole = {**GOOD[contract], **document}

    refused(contract, whole)
    if contract is Feedback:
        with pytest.raises(DecodeError):
            FeedbackDecoder().decode(dumps(whole))
    if contract is Request:
        assert decode_fast(dumps(whole)) is None


def decode_fast(value):
    """Return a request as its head and the rest of it decode it; None if they refuse."""
    (head,) = HeadDecoder().decode([value])
    try:
        return None if head is None else decode_head(head, None, value)
    except DecodeError:
        return None


def unbounded_fields(model):
    """Return the fields of a model that take any integer or text of any length."""
    found, schema = [], model.model_json_schema()
    for name, one in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        for field, part in one.get("properties", {}).items():
            parts = [part, *part.get("anyOf", [])]
            parts += [p["items"] for p in parts if "items" in p]
            parts += [p["additionalProperties"] for p in parts if p.get("additionalProperties")]
            for p in [p for p in parts if isinstance(p, dict)]:
                integer = p.get("type") == "integer" and "maximum" not in p and "const" not in p
                text = p.get("type") == "string" and not p.keys() & {
                    "maxLength", "pattern", "enum", "const", "contentEncoding", "format",
                }  # fmt: skip
                found += [f"{name}.{field}"] if integer or text else []
    return found


def test_no_field_of_any_contract_is_without_a_bound():
    models = [
        one
        for module in (contracts, model_contracts)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
    ]

    assert len(models) > 10
    assert [field for model in models for field in unbounded_fields(model)] == []


numbers = st.integers() | st.sampled_from([HUGE, -HUGE, 2**63, 2**64, MAX_VERSION + 1])
times = numbers | st.sampled_from([MAX_EVENT_TIME, MAX_EVENT_TIME + 1])
labels = numbers | st.floats() | st.text(max_size=3) | st.sampled_from(["x" * 1024, "x" * 1025])
outputs = st.dictionaries(
    st.text(max_size=2),
    st.recursive(labels | st.none(), lambda one: st.lists(one, max_size=2), max_leaves=4)
    | st.sampled_from([DEEP, DEEP["a"]["a"]]),
    max_size=3,
)


@given(labels, times, times, labels, outputs, numbers)
def test_both_codecs_of_feedback_accept_the_same(label, begin, end, revises, named, version):
    joined = {"model": "m", "version": version, "outputs": named}
    document = {
        **GOOD[Feedback], "label": label, "event_time": begin, "label_time": end,
        "revises": revises, "predictions": [joined],
    }  # fmt: skip
    value = dumps(document)
    results = []
    for read in (FeedbackDecoder().decode, lambda value: decode(Feedback, value)):
        try:
            one = read(value)
            results.append(
                repr((one.label, one.event_time, one.revises, one.predictions[0].outputs))
            )
        except DecodeError as error:
            results.append(str(error))

    assert results[0] == results[1]


@given(times, numbers | st.text(max_size=3) | st.just("v" * 65), st.text(max_size=3))
def test_what_the_fast_codec_reads_is_within_the_bounds_of_a_request(event_time, version, model):
    document = {**GOOD[Request], "event_time": event_time, "version": version, "model": model}
    (head,) = HeadDecoder().decode([dumps(document)])
    try:
        request = decode(Request, dumps(document))
    except DecodeError:
        # The pattern of a model's name is checked where the head is used.
        assert head is None or not model.isalnum() or not model.isascii()
    else:
        assert head is None or (head.version, head.event_time) == (version, event_time)
        assert (request.version, request.event_time) == (version, event_time)


def test_a_tensor_that_only_the_contract_would_refuse_is_not_read_fast():
    matrix = {"name": "x" * 1025, "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
    (head,) = HeadDecoder().decode([dumps({"id": "r", "inputs": [matrix]})])

    assert MatrixDecoder(2).decode([head.inputs]) == [None]


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"r","features":{"x":1' + "0" * 5000 + "}}",
        '{"id":"r","features":{"x":1e400}}',
        '{"id":"r","features":{"x":1' + "0" * 400 + "}}",
        '{"id":"r","features":{"x":NaN,"y":-Infinity}}',
        '{"id":"r","features":{"x":0.' + "1" * 10_000 + "}}",
        '{"id":"r","inputs":' + "[" * 5000 + "]" * 5000 + "}",
        '{"id":"r","inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":'
        + "[" * 150 + "]" * 150 + "}]}",
    ],
)  # fmt: skip
def test_odd_numbers_and_deep_lists_are_read_or_refused_with_a_typed_error(text):
    tail = text.encode()
    headers = ((Header.JSON_LENGTH, str(len(tail)).encode()),)
    for record in (
        Record("t", 0, 0, None, tail),
        Record("t", 0, 0, None, tail + b"\x00\x00\x80\x3f", headers),
    ):
        try:
            decode_request(record)
        except DecodeError as error:
            assert len(str(error)) < 2000


@pytest.mark.slow
def test_a_million_empty_strings_and_a_hundred_thousand_tensors_are_read_in_linear_time():
    begin = time.process_time()
    assert len(decode_strings(bytes(4 * 1_000_000))) == 1_000_000
    tensor = {"name": "x", "shape": [0], "datatype": "FP32", "parameters": {"binary_data_size": 4}}
    with_tensor_data({"inputs": [tensor] * 100_000}, bytes(400_000))

    assert time.process_time() - begin < 5  # Quadratic time is minutes.


@pytest.mark.slow
def test_a_document_with_a_hundred_thousand_faults_is_refused_quickly():
    rows = {"id": "r", "features": [{"x": []}] * 100_000}
    begin = time.process_time()

    assert "features.0.x: must be" in refused(Request, rows)

    assert time.process_time() - begin < 5


def test_a_number_too_large_for_64_bits_is_read_as_a_float_by_both_codecs():
    value = dumps({**GOOD[Feedback], "label": 2**64})

    assert FeedbackDecoder().decode(value).label == decode(Feedback, value).label == 2.0**64


def test_a_message_outside_its_bounds_cannot_be_built_either():
    with pytest.raises(ValidationError):
        Label(id="r", label=1, event_time=MAX_EVENT_TIME + 1)
