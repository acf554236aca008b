"""Errors say in plain words which field is wrong, what it must be, and what it is."""

import json

import pytest

from modstream.broker.errors import ContractViolated, DecodeError, NotJson
from modstream.broker.wire.codec import decode, decode_request
from modstream.broker.wire.contracts import Label, Prediction, Request
from modstream.broker.wire.fast_codec import HeadDecoder
from modstream.broker.wire.records import Record
from modstream.broker.wire.request_codec import decode_head

INNER_WORDS = (
    "Input", "constrained", "nullable", "union", "dict[", "tuple[", "function", "str]", "Field",
    ".bool", ".int", ".float", ".str", "should", "Value error", "pydantic",
)  # fmt: skip
SCALAR = "must be a number, a text or true or false"
TENSOR = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}

REQUESTS = [
    ({"features": {"x0": [1]}}, f"features.x0: {SCALAR}, not a list"),
    ({"features": {"bool": [1]}}, f"features.bool: {SCALAR}, not a list"),
    ({"features": {"x0": {"bool": 1}}}, "not an object"),
    ({"features": [{"x": 1}, {"x": 1, "y": []}]}, f"features.1.y: {SCALAR}, not a list"),
    ({"features": [1]}, "features.0: must be an object, not a number"),
    ({"features": True}, "features: must be a list or an object, not true"),
    ({"inputs": [{**TENSOR, "shape": [-1]}]}, "inputs.0.shape.0: must be at least 0"),
    ({"inputs": [{**TENSOR, "datatype": "FP31"}]}, "inputs.0.datatype: must be 'BOOL', "),
    ({"inputs": [{"name": "x"}]}, "inputs.0.shape: is missing"),
    ({"inputs": {}}, "inputs: must be a list, not an object"),
    ({}, "give either features (rows by name) or inputs (V2 tensors)"),
    ({"features": {}, "inputs": [TENSOR]}, "give either features"),
    ({"features": []}, "a request holds at least one row"),
    ({"features": {}, "id": 7}, "id: must be a text, not a number"),
    ({"features": {}, "id": ""}, "id: must be a text of at least 1 character"),
    ({"features": {}, "version": 0}, "version: must be at least 1"),
    ({"features": {}, "version": 1.5}, "version: must be a text or an integer, not a number"),
    ({"features": {}, "version": "x" * 65}, "version: must be a text of at most 64 characters"),
    ({"features": {}, "version": None}, "version: must be a text or an integer, not null"),
    ({"features": {}, "event_time": "soon"}, "event_time: must be an integer, not a text"),
    ({"features": {}, "event_time": 10**400}, "event_time: must be at most 253402300799999"),
    ({"features": {}, "event_time": 1.5}, "event_time: must be an integer, not a number"),
    ({"features": {}, "model": "a b"}, "model: must be a text that matches ^[A-Za-z0-9]"),
    ({"features": {}, "schema_version": 2}, "schema_version: must be 1"),
    ({"features": {"\x1b[2J": []}}, r"features.\x1b[2J: must be"),
    ({"features": {"x" * 1000: []}}, "features." + "x" * 100 + "…: must be"),
]


@pytest.mark.parametrize(("fields", "reason"), REQUESTS)
def test_the_error_of_a_request_is_one_plain_sentence(fields, reason):
    value = json.dumps({"id": "r", **fields}).encode()
    with pytest.raises(ContractViolated) as caught:
        decode(Request, value)

    assert reason in str(caught.value)
    assert not [word for word in INNER_WORDS if word in str(caught.value).replace(reason, "")]
    (head,) = HeadDecoder().decode([value])
    if head is not None:
        with pytest.raises(DecodeError) as fast:
            decode_head(head, None, value)
        assert str(fast.value) == str(caught.value)


@pytest.mark.parametrize(
    ("contract", "value", "reason"),
    [
        (Label, b'{"id":"r","label":[],"event_time":1}', f"label: {SCALAR}, not a list"),
        (Label, b'{"id":"r","label":NaN,"event_time":1}', "label: must be a finite number"),
        (Label, b'{"id":"r","label":1}', "event_time: is missing"),
        (Label, b"[]", "not a valid Label: must be an object, not a list"),
        (Prediction, b'{"outputs":{"a":1%b}}' % (b"0" * 30), "more than 64 bits"),
    ],
)
def test_the_errors_of_other_messages_are_plain_too(contract, value, reason):
    with pytest.raises(ContractViolated) as caught:
        decode(contract, value)

    assert reason in str(caught.value) or "id: is missing" in str(caught.value)


@pytest.mark.parametrize(
    "value", [b"{", b'{"id":"\xff"}', b"", b"nul", b'{"a":1' + b"0" * 5000 + b"}"]
)
def test_a_value_that_is_not_json_says_so(value):
    with pytest.raises(NotJson):
        decode(Request, value)


def test_the_errors_of_raw_tensors_are_plain_too():
    document = json.dumps({"id": "r", "inputs": [{"name": [], "shape": [1]}]}).encode()
    headers = (("inference-header-content-length", str(len(document)).encode()),)

    with pytest.raises(ContractViolated, match=r"inputs\.0\.name: must be a text, not a list"):
        decode_request(Record("t", 0, 0, None, document, headers))
