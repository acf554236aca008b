"""Bytes become contracts, or a typed error; never anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.errors import ContractViolated, DecodeError, NotJson, RecordTooLarge
from modstream.broker.wire.codec import decode, encode, legible_id
from modstream.broker.wire.contracts import (
    Contract,
    ErrorAnswer,
    Feedback,
    Fence,
    Label,
    Metrics,
    ModelEvent,
    Prediction,
    Quarantined,
    Request,
    Scored,
    Source,
    Tensor,
    Unjoined,
    UnjoinedReason,
)

HERE = Source(topic="s.requests", partition=3, offset=41)
TENSOR = Tensor(name="x", shape=(2, 2), datatype="FP64", data=[1.0, 2.0, 3.0, 4.0])
MESSAGES: list[Contract] = [
    Request(id="a", features={"x": 1.5, "n": 3, "city": "LGA", "wet": True}),
    Request(id="a", features=({"x": 1.0}, {"x": 2.0}), model="m", version=3, event_time=7),
    Request(id="a", inputs=(TENSOR,)),
    Prediction(id="a", model="m", version=1, outputs={"probability": 0.25}, source=HERE),
    Prediction(id="a", model="m", version=1, outputs=(TENSOR,), features={"x": 1}, source=HERE),
    ErrorAnswer(id="a", code="wrong_type", message="x is a string", model="m", source=HERE),
    Label(id="a", label=True, event_time=9, revision=2),
    Feedback(
        id="a",
        label=0,
        features={"x": 1.0},
        predictions=(Scored(model="m", version=2, outputs={"probability": 0.5}),),
        event_time=1,
        label_time=2,
    ),
    Unjoined(id="a", reason=UnjoinedReason.LATE, label="yes", label_time=5),
    Quarantined(id="a", model="m", rule="not_finite", detail="x is NaN", source=HERE),
    Fence(model="m", ref="champion", version=2, sha256="a" * 64, source=HERE),
    Fence(model="m", ref=3, version=3, sha256="a" * 64, parent=2, source=HERE),
    Metrics(kind="learner", model="m", version=1, values={"learned": 5.0}, offsets={"t:0": 5}),
    ModelEvent(model="m", version=2, action="publish", at=1, offsets={"t:0": 9}, learned=9),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_comes_back_as_it_was_sent(message):
    assert decode(type(message), encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_says_its_schema_version(message):
    assert json.loads(encode(message))["schema_version"] == 1


def test_a_field_that_a_newer_writer_added_is_ignored():
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
def test_what_is_no_request_is_refused_with_its_reason(value, error):
    with pytest.raises(error):
        decode(Request, value, limit=150_000 if value == b"[" * 100_000 else 200)


def test_a_request_that_breaks_its_contract_still_tells_its_id():
    with pytest.raises(ContractViolated) as caught:
        decode(Request, b'{"id":"r-7","features":{"x":[1]}}')

    assert caught.value.request_id == "r-7"


def test_an_id_that_is_none_is_not_read_out_of_a_broken_request():
    assert legible_id(b'{"id":7}') is None
    assert legible_id(b'{"id":"' + b"x" * 300 + b'"}') is None
    assert legible_id(b"[]") is None


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_decoder(value):
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
def test_no_json_document_crashes_the_decoder(document):
    try:
        request = decode(Request, json.dumps(document).encode())
    except DecodeError as error:
        assert error.code in {"contract_violated", "not_json"}
    else:
        assert decode(Request, encode(request)).id == request.id
