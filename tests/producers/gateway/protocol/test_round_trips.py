"""What a caller sends in any encoding is what the worker reads, and the answer is what it wrote."""

import json
import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.tensor_binary import ITEM_SIZES, decode_values, encode_values
from modstream.producers.gateway.protocol import grpc_codec, rest_codec
from modstream.producers.gateway.protocol.grpc_codec import CONTENTS
from modstream.producers.gateway.protocol.stubs.inference_pb2 import ModelInferRequest
from tests.producers.gateway.protocol.call_samples import output, prediction, worker_reads

BITS = {"FP16": 16, "BF16": 32, "FP32": 32, "FP64": 64}
DATATYPES = (*ITEM_SIZES, "BYTES")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)


def bf16(number):
    return decode_values("BF16", encode_values("BF16", [number]))[0]


def values_of(datatype, *, infinite=False):
    if datatype == "BOOL":
        return st.booleans()
    if datatype == "BYTES":
        return TEXTS
    if datatype in BITS:
        numbers = st.floats(allow_nan=False, allow_infinity=infinite, width=BITS[datatype])
        if datatype != "BF16":
            return numbers
        return numbers.map(bf16).filter(lambda number: infinite or math.isfinite(number))
    bits = int(datatype.lstrip("UINT"))
    low, high = (0, 2**bits) if datatype[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return st.integers(low, high - 1)


@st.composite
def tensors(draw, datatypes=DATATYPES, *, infinite=False):
    """Tensors of different names, as (name, shape, datatype, flat values)."""
    found = []
    for name in draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True)):
        datatype = draw(st.sampled_from(datatypes))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        size = math.prod(shape)
        values = draw(
            st.lists(values_of(datatype, infinite=infinite), min_size=size, max_size=size)
        )
        found.append(SimpleNamespace(name=name, shape=shape, datatype=datatype, values=values))
    return found


CALLS = st.fixed_dictionaries(
    {
        "id": st.none() | TEXTS,
        "key": st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=5),
        "event_time": st.none() | st.integers(-(10**12), 10**13),
        "timeout": st.none() | st.integers(1, 10**9),
    }
)


def check(call, sent, fields):
    """Compare a call and what the worker reads of it with what the caller sent."""
    read = worker_reads(call.encode("my-id", "iris", 3))

    assert (read.id, read.model, read.version) == ("my-id", "iris", 3)
    assert read.event_time == call.event_time == fields["event_time"]
    assert (call.client_id, call.key) == (fields["id"] or None, fields["key"])
    assert call.timeout_seconds == (fields["timeout"] and fields["timeout"] / 1e6)
    assert [one.name for one in read.inputs] == [one.name for one in sent]
    for one, other in zip(read.inputs, sent, strict=True):
        assert (list(one.shape), one.datatype) == (other.shape, other.datatype)
        assert one.data == other.values
        assert list(map(type, one.data)) == list(map(type, other.values))


def nested(shape, values):
    """Return values as lists in lists, by their shape."""
    if len(shape) < 2 or not values:
        return values
    width = len(values) // shape[0]
    return [
        nested(shape[1:], values[start : start + width]) for start in range(0, len(values), width)
    ]


def flat(values):
    return [
        one for value in values for one in (flat(value) if isinstance(value, list) else [value])
    ]


def rest_body(sent, fields, binary, form=lambda _shape, values: values):
    """Return a body, and the length of its JSON; `binary` says which of the tensors are raw."""
    inputs, tail = [], b""
    for one, raw in zip(sent, binary, strict=True):
        head = {"name": one.name, "shape": one.shape, "datatype": one.datatype}
        if raw:
            encoded = encode_values(one.datatype, one.values)
            inputs.append({**head, "parameters": {"binary_data_size": len(encoded)}})
            tail += encoded
        else:
            inputs.append({**head, "data": form(one.shape, one.values)})
    names = ("key", "event_time", "timeout")
    parameters = {name: fields[name] for name in names if fields[name] is not None}
    document = {"inputs": inputs, "id": fields["id"], "parameters": parameters}
    encoded = json.dumps(document, ensure_ascii=len(sent) == 1).encode()
    return encoded + tail, str(len(encoded))


@settings(max_examples=150, deadline=None)
@given(tensors(), CALLS, st.data())
def test_json_and_raw_tensors_arrive_as_they_were_sent(sent, fields, data):
    binary = data.draw(st.lists(st.booleans(), min_size=len(sent), max_size=len(sent)))
    body, length = rest_body(sent, fields, binary)

    check(rest_codec.read_infer(body, length), sent, fields)
    if not any(binary):
        check(rest_codec.read_infer(body, None), sent, fields)


@settings(max_examples=50, deadline=None)
@given(tensors())
def test_nested_data_arrive_nested(sent):
    fields = {"id": None, "key": None, "event_time": None, "timeout": None}
    body, _ = rest_body(sent, fields, [False] * len(sent), nested)

    read = worker_reads(rest_codec.read_infer(body, None).encode("my-id", "iris", 3))

    assert [one.data for one in read.inputs] == [nested(one.shape, one.values) for one in sent]


def grpc_call(sent, fields, *, raw):
    request = ModelInferRequest(id=fields["id"] or "")
    for name in ("event_time", "timeout"):
        if fields[name] is not None:
            request.parameters[name].int64_param = fields[name]
    if fields["key"] is not None:
        request.parameters["key"].string_param = fields["key"]
    for one in sent:
        added = request.inputs.add(name=one.name, datatype=one.datatype, shape=one.shape)
        if raw:
            request.raw_input_contents.append(encode_values(one.datatype, one.values))
        else:
            values = [value.encode() if isinstance(value, str) else value for value in one.values]
            getattr(added.contents, CONTENTS[one.datatype]).extend(values)
    return ModelInferRequest.FromString(request.SerializeToString())


@settings(max_examples=150, deadline=None)
@given(tensors(infinite=True), CALLS)
def test_raw_contents_arrive_as_they_were_sent(sent, fields):
    call = grpc_codec.read_infer(grpc_call(sent, fields, raw=True))

    assert call.binary_outputs
    check(call, sent, fields)


@settings(max_examples=150, deadline=None)
@given(tensors(tuple(CONTENTS), infinite=True), CALLS)
def test_typed_contents_arrive_as_they_were_sent(sent, fields):
    call = grpc_codec.read_infer(grpc_call(sent, fields, raw=False))

    assert not call.binary_outputs
    check(call, sent, fields)


def rest_outputs(response):
    """Return the outputs of an HTTP answer as a client reads them."""
    length = len(response.body) if response.json_length is None else response.json_length
    document, start, found = json.loads(response.body[:length]), length, []
    for one in document["outputs"]:
        size = one.get("parameters", {}).get("binary_data_size")
        if size is not None:
            raw = response.body[start : start + size]
            one["data"], start = decode_values(one["datatype"], raw), start + size
        found.append((one["name"], one["shape"], one["datatype"], one["data"]))
    assert start == len(response.body)
    return document, found


def as_outputs(sent):
    return prediction(
        *(output(one.name, tuple(one.shape), one.datatype, one.values) for one in sent)
    )


def expected(sent):
    return [(one.name, one.shape, one.datatype, one.values) for one in sent]


@settings(max_examples=100, deadline=None)
@given(tensors(), st.booleans())
def test_an_http_answer_has_what_the_worker_wrote(sent, binary):
    parameters = {"binary_data_output": binary}
    body = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}],
        "parameters": parameters,
    }
    call = rest_codec.read_infer(json.dumps(body).encode(), None)

    response = rest_codec.write_infer(call, "my-id", as_outputs(sent))

    assert rest_outputs(response)[1] == expected(sent)
    assert (response.json_length is not None) == binary


@settings(max_examples=100, deadline=None)
@given(tensors(), st.booleans())
def test_a_grpc_answer_has_what_the_worker_wrote(sent, raw):
    fields = {"id": None, "key": None, "event_time": None, "timeout": None}
    asked = [SimpleNamespace(name="x", shape=[1], datatype="FP32", values=[1.5])]
    call = grpc_codec.read_infer(grpc_call(asked, fields, raw=raw))

    response = grpc_codec.write_infer(call, "my-id", as_outputs(sent))

    found = []
    for at, one in enumerate(response.outputs):
        if response.raw_output_contents:
            values = decode_values(one.datatype, response.raw_output_contents[at])
        else:
            values = list(getattr(one.contents, CONTENTS[one.datatype]))
            values = [value.decode() if isinstance(value, bytes) else value for value in values]
        found.append((one.name, list(one.shape), one.datatype, values))
    assert found == expected(sent)
    only_raw = any(one.datatype in {"FP16", "BF16"} for one in sent)
    assert bool(response.raw_output_contents) == (raw or only_raw)


@pytest.mark.parametrize("number", [math.nan, -math.nan, math.inf, 1.0, 3.4e38, 2**-133, -0.0])
def test_bf16_is_the_nearest_number(number):
    found = bf16(number)

    assert math.copysign(1, found) == math.copysign(1, number)
    assert math.isnan(found) == math.isnan(number)
    if math.isfinite(found) and math.isfinite(number):
        assert abs(found - number) <= abs(number) / 256


@pytest.mark.parametrize(
    ("number", "rounded"),
    [(1.00390625, 1.0), (1.01171875, 1.015625), (1.0039064, 1.0078125), (3.398e38, math.inf)],
    ids=["a tie to even below", "a tie to even above", "above a tie", "beyond the largest"],
)
def test_bf16_rounds_to_nearest_and_ties_to_even(number, rounded):
    assert bf16(number) == rounded
