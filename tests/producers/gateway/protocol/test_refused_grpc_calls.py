"""Whatever is wrong with a gRPC call, the caller is told where and why, as INVALID_ARGUMENT."""

import pytest

from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.grpc_codec import CONTENTS, read_infer
from modstream.producers.gateway.protocol.stubs.inference_pb2 import (
    InferParameter,
    ModelInferRequest,
)

Input = ModelInferRequest.InferInputTensor
Output = ModelInferRequest.InferRequestedOutputTensor


def numbers(name="x", shape=(1, 2), datatype="FP32", **contents):
    """An input with typed values, those of FP32 unless others are given."""
    contents = contents or {"fp32_contents": [1.5, 2.5]}
    return Input(name=name, shape=shape, datatype=datatype, contents=contents)


def head(name="x", shape=(1, 2), datatype="FP32", **fields):
    return Input(name=name, shape=shape, datatype=datatype, **fields)


def call(*inputs, raw=(), **fields):
    return ModelInferRequest(inputs=inputs or [numbers()], raw_input_contents=raw, **fields)


def parameter(name, **value):
    return {"parameters": {name: InferParameter(**value)}}


RAW = b"\0" * 8
SHARED = parameter("shared_memory_region", string_param="r")
CASES = {
    "no inputs": (ModelInferRequest(), "inputs: is empty; a call has at least one input"),
    "too many inputs": (call(*(numbers(f"x{n}") for n in range(1001))), "more than 1000 tensors"),
    "repeated input": (call(numbers(), numbers()), "inputs[1].name: 'x' is there twice"),
    "long name": (call(numbers("x" * 1025)), "inputs[0].name: has more than 1024 characters"),
    "no datatype": (call(numbers(datatype="")), "inputs[0].datatype: '' is unknown"),
    "unknown datatype": (call(numbers(datatype="FP31")), "inputs[0].datatype: 'FP31' is unknown"),
    "negative dimension": (call(numbers(shape=[1, -2])), "inputs[0].shape: -2 is not a dimension"),
    "large dimension": (call(numbers(shape=[2**62])), "is not a dimension from 0 to 2147483647"),
    "overflowing shape": (call(numbers(shape=[2**20] * 4)), "inputs[0].shape: means more than"),
    "high rank": (call(numbers(shape=[1] * 17)), "inputs[0].shape: has more than 16 dimensions"),
    "no contents": (call(head()), "inputs[0].contents: has 0 values, but the shape means 2"),
    "too few values": (call(numbers(shape=[3])), "has 2 values, but the shape means 3"),
    "too many values": (call(numbers(shape=[1])), "has 2 values, but the shape means 1"),
    "too few in the second": (
        call(numbers(), numbers("y", [3])),
        "inputs[1].contents: has 2 values, but the shape means 3",
    ),
    "contents of another datatype": (
        call(numbers(datatype="INT64")),
        "inputs[0].contents: has fp32_contents, but values of INT64 are in int64_contents",
    ),
    "contents of two datatypes": (
        call(numbers(fp32_contents=[1, 2], int_contents=[1, 2])),
        "inputs[0].contents: has int_contents, but values of FP32 are in fp32_contents",
    ),
    "INT8 out of range": (
        call(numbers(datatype="INT8", int_contents=[1, 128])),
        "inputs[0].contents: a value is not of type INT8",
    ),
    "INT16 out of range": (call(numbers(datatype="INT16", int_contents=[1, -40000])), "INT16"),
    "UINT8 out of range": (call(numbers(datatype="UINT8", uint_contents=[256, 1])), "UINT8"),
    "UINT16 out of range": (call(numbers(datatype="UINT16", uint_contents=[2**17, 1])), "UINT16"),
    "typed FP16": (
        call(numbers(datatype="FP16")),
        "inputs[0]: values of FP16 have no field in contents; send them in raw_input_contents",
    ),
    "typed BF16": (call(numbers(datatype="BF16")), "values of BF16 have no field in contents"),
    "raw for one of two": (
        call(head(), head("y"), raw=[RAW]),
        "raw_input_contents: has 1 entries for 2 inputs; send the raw bytes of all inputs",
    ),
    "raw for nobody": (call(head(), raw=[RAW, RAW]), "has 2 entries for 1 inputs"),
    "raw and contents": (
        call(numbers(), raw=[RAW]),
        "inputs[0]: has contents beside raw_input_contents; send one of them",
    ),
    "raw and typed mixed": (
        call(head(), numbers("y"), raw=[RAW, b""]),
        "inputs[1]: has contents beside raw_input_contents",
    ),
    "too few raw bytes": (
        call(head(), raw=[RAW[:4]]),
        "inputs[0]: has 4 raw bytes, but 2 values of FP32 have 8",
    ),
    "too many raw bytes": (call(head(), raw=[RAW * 2]), "has 16 raw bytes, but 2 values of FP32"),
    "no raw bytes": (call(head(), raw=[b""]), "has 0 raw bytes, but 2 values of FP32 have 8"),
    "raw strings without lengths": (
        call(head(datatype="BYTES"), raw=[b"abc"]),
        "inputs[0]: has 3 raw bytes, but 2 strings",
    ),
    "raw of an unknown datatype": (call(head(datatype="?"), raw=[RAW]), "'?' is unknown"),
    "raw of a negative dimension": (call(head(shape=[-1, 2]), raw=[RAW]), "-1 is not a dimension"),
    "shared memory": (
        call(head(**SHARED)),
        "inputs[0].parameters.shared_memory_region: shared mem",
    ),
    "shared memory of an output": (
        call(outputs=[Output(name="y", **SHARED)]),
        "outputs[0].parameters.shared_memory_region: shared memory is not supported",
    ),
    "repeated output": (
        call(outputs=[Output(name="y"), Output(name="y")]),
        "outputs[1].name: 'y' is there twice",
    ),
    "classification a text": (
        call(outputs=[Output(name="y", **parameter("classification", string_param="3"))]),
        "outputs[0].parameters.classification: must be a number of classes",
    ),
    "negative classification": (
        call(outputs=[Output(name="y", **parameter("classification", int64_param=-3))]),
        "outputs[0].parameters.classification: must be a number of classes",
    ),
    "long id": (call(id="1" * 257), "id: must be a text of at most 256 characters"),
    "timeout a text": (call(**parameter("timeout", string_param="1")), "parameters.timeout: must"),
    "timeout a fraction": (
        call(**parameter("timeout", double_param=1)),
        "parameters.timeout: must",
    ),
    "negative timeout": (call(**parameter("timeout", int64_param=-1)), "parameters.timeout: must"),
    "endless timeout": (call(**parameter("timeout", uint64_param=2**63)), "parameters.timeout"),
    "key a number": (call(**parameter("key", int64_param=7)), "parameters.key: must be a text"),
    "event_time a fraction": (
        call(**parameter("event_time", double_param=1.5)),
        "parameters.event_time: must be an integer",
    ),
    "a sequence": (call(**parameter("sequence_id", int64_param=3)), "sequences are not supported"),
}


@pytest.mark.parametrize(("request_", "reason"), CASES.values(), ids=CASES)
def test_call_is_refused(request_, reason):
    with pytest.raises(ProtocolError) as caught:
        read_infer(request_)

    assert (caught.value.status, caught.value.grpc_code) == (400, "INVALID_ARGUMENT")
    assert reason in caught.value.message


@pytest.mark.parametrize("datatype", CONTENTS)
def test_values_in_the_field_of_each_other_datatype_are_refused(datatype):
    for other in set(CONTENTS.values()) - {CONTENTS[datatype]}:
        values = [b"a"] if other == "bytes_contents" else [1]
        with pytest.raises(ProtocolError, match=f"has {other}, but values of {datatype} are in"):
            read_infer(call(numbers(shape=[1], datatype=datatype, **{other: values})))
