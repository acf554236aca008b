"""Bytes are decoded as a contract or raise a typed error, and never any other one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.errors import ContractViolated, DecodeError, NotJson, RecordTooLarge
from modstream.broker.wire.codec import decode, encode, salvage_id
from modstream.broker.wire.contracts import (
    Contract,
    ErrorResponse,
    Feedback,
    JoinedPrediction,
    Label,
    Prediction,
    Quarantined,
    Request,
    SourcePosition,
    Tensor,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.inference_record import InferenceRecord, ModelAnswer
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker

HERE = SourcePosition(topic="s.requests", partition=3, offset=41)
TENSOR = Tensor(name="x", shape=(2, 2), datatype="FP64", data=[1.0, 2.0, 3.0, 4.0])
MESSAGES: list[Contract] = [
    Request(id="a", features={"x": 1.5, "n": 3, "city": "LGA", "wet": True}),
    Request(id="a", features=({"x": 1.0}, {"x": 2.0}), model="m", version=3, event_time=7),
    Request(id="a", inputs=(TENSOR,)),
    Prediction(id="a", model="m", version=1, outputs={"probability": 0.25}, source=HERE),
    Prediction(id="a", model="m", version=1, outputs=(TENSOR,), features={"x": 1}, source=HERE),
    ErrorResponse(id="a", code="wrong_type", message="x is a string", model="m", source=HERE),
    Label(id="a", label=True, event_time=9, revision=2),
    Feedback(
        id="a",
        label=0,
        features={"x": 1.0},
        predictions=(JoinedPrediction(model="m", version=2, outputs={"probability": 0.5}),),
        event_time=1,
        label_time=2,
    ),
    Unjoined(id="a", reason=UnjoinedReason.LATE, label="yes", label_time=5),
    Quarantined(id="a", model="m", rule="not_finite", detail="x is NaN", source=HERE),
    VersionMarker(model="m", ref="champion", version=2, sha256="a" * 64, source=HERE),
    VersionMarker(model="m", ref=3, version=3, sha256="a" * 64, parent=2, source=HERE),
    InferenceRecord(
        id="a",
        outcome="partly_answered",
        answers=(
            ModelAnswer(
                model="m", version=1, outcome="answered", bytes_out=9, outputs={"value": 0.5}
            ),
            ModelAnswer(outcome="error", code="no_output", bytes_out=7),
        ),
        arrived=1,
        batch=2,
        bytes_in=3,
        source=HERE,
        features={"x": 1.5},
    ),
    Metrics(kind="learner", model="m", version=1, values={"learned": 5.0}, offsets={"t:0": 5}),
    ModelEvent(model="m", version=2, action="publish", at=1, offsets={"t:0": 9}, rows_learned=9),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_survives_encoding_and_decoding(message):
    assert decode(type(message), encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_has_its_schema_version(message):
    assert json.loads(encode(message))["schema_version"] == 1


def test_an_unknown_field_is_ignored():
    assert decode(Label, b'{"id":"a","label":1,"event_time":2,"mood":"fine"}').id == "a"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, NotJson),
        (b"", NotJson),
        (b"not json", NotJson),
        (b"\xff\xfe", NotJson),
        (b"[" * 100_000, NotJson),
        (b"[]", ContractViolated),
        (b'{"id":"a"}', ContractViolated),
        (b'{"id":"a","features":{},"inputs":[]}', ContractViolated),
        (b'{"id":"a","features":[]}', ContractViolated),
        (b'{"id":"","features":{"x":1}}', ContractViolated),
        (b'{"id":"a","features":{"x":[1]}}', ContractViolated),
        (b'{"id":"a","features":{"x":1},"schema_version":2}', ContractViolated),
        (b'{"id":"a","features":{"x":1}}{"id":"b","features":{"x":1}}', NotJson),
        (b'{"id":"a","features":{"x":' + b"1" * 200 + b"}}", RecordTooLarge),
    ],
)
def test_an_invalid_request_raises_the_error_of_its_fault(value, error):
    with pytest.raises(error):
        decode(Request, value, limit=150_000 if value == b"[" * 100_000 else 200)


def test_the_error_of_an_invalid_request_has_the_request_id():
    with pytest.raises(ContractViolated) as caught:
        decode(Request, b'{"id":"r-7","features":{"x":[1]}}')

    assert caught.value.request_id == "r-7"


def test_an_invalid_id_is_not_salvaged():
    assert salvage_id(b'{"id":7}') is None
    assert salvage_id(b'{"id":"' + b"x" * 300 + b'"}') is None
    assert salvage_id(b"[]") is None


@given(st.binary(max_size=300))
def test_random_bytes_raise_only_decode_errors(value):
    try:
        decode(Request, value)
    except DecodeError as error:
        assert error.code


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": json_values,
            "features": json_values,
            "inputs": json_values,
            "model": json_values,
            "version": json_values,
        },
    )
)
def test_random_json_raises_only_decode_errors(document):
    try:
        request = decode(Request, json.dumps(document).encode())
    except DecodeError as error:
        assert error.code in {"contract_violated", "not_json"}
    else:
        assert decode(Request, encode(request)).id == request.id
