"""Whatever is wrong with the body of a call, the caller is told where and why, with status 400."""

import json

import pytest

from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.rest_codec import read_infer
from tests.producers.gateway.protocol.call_samples import document, raw_tensor, tensor

RAW = b"\0" * 8
DEEP = "[" * 100 + "]" * 100

JSON_CASES = {
    "empty body": (b"", "the body: is not JSON"),
    "no object": (b"[]", "the body: expected an object, got a list"),
    "null": (b"null", "the body: expected an object"),
    "a text": (b'"inputs"', "the body: expected an object"),
    "truncated": (document()[:-1], "the body: is not JSON: Input data was truncated"),
    "trailing garbage": (document() + b"x", "the body: is not JSON"),
    "two documents": (document() + document(), "the body: is not JSON"),
    "trailing comma": (b'{"inputs": [],}', "the body: is not JSON"),
    "single quotes": (b"{'inputs': []}", "the body: is not JSON"),
    "byte order mark": (b"\xef\xbb\xbf" + document(), "the body: is not JSON"),
    "NaN": (document().replace(b"1.5", b"NaN"), "the body: is not JSON"),
    "Infinity": (document().replace(b"1.5", b"Infinity"), "the body: is not JSON"),
    "minus infinity": (document().replace(b"1.5", b"-Infinity"), "the body: is not JSON"),
    "not UTF-8": (document().replace(b'"x"', b'"\xff"'), "the body: is not UTF-8: byte 22 is 0xff"),
    "not UTF-8 in data": (document().replace(b"1.5", b'"\xe4"'), "is not UTF-8"),
    "half a surrogate": (document().replace(b"1.5", b'"\\ud800"'), "the body: is not JSON"),
    "bad escape": (document().replace(b"1.5", b'"\\x41"'), "the body: is not JSON"),
    "deep data": (document().replace(b"[1.5, 2.5]", DEEP.encode()), "more than 64 levels deep"),
    "very deep data": (
        document().replace(b"[1.5, 2.5]", b"[" * 100_000 + b"]" * 100_000),
        "more than 64 levels deep",
    ),
    "deep parameters": (
        document().replace(b'{"inputs"', b'{"parameters": {"a": %b}, "inputs"' % DEEP.encode()),
        "more than 64 levels deep",
    ),
    "endless integer": (document().replace(b"1.5", b"1" * 5000), "a number has 4300 digits"),
    "no inputs": (b"{}", "inputs: is missing; a call has a list of tensors"),
    "inputs null": (b'{"inputs": null}', "inputs: expected a list"),
    "inputs an object": (b'{"inputs": {}}', "inputs: expected a list, got an object"),
    "inputs empty": (b'{"inputs": []}', "inputs: is empty; a call has at least one input"),
    "too many inputs": (
        document(*(tensor(name=f"x{number}") for number in range(1001))),
        "inputs: has more than 1000 tensors",
    ),
    "an input is a number": (b'{"inputs": [1]}', "inputs[0]: expected an object, got an integer"),
    "an input is null": (document(tensor(), 0), "inputs[1]: expected an object"),
    "repeated input": (document(tensor(), tensor()), "inputs[1].name: 'x' is there twice"),
    "no name": (document(tensor(name=None)), "inputs[0]: has no field name"),
    "name a number": (document(tensor(name=1)), "inputs[0].name: expected a text, got an integer"),
    "long name": (document(tensor(name="x" * 1025)), "inputs[0].name: has more than 1024"),
    "no shape": (document(tensor(shape=None)), "inputs[0]: has no field shape"),
    "shape a number": (document(tensor(shape=2)), "inputs[0].shape: expected a list"),
    "shape a text": (document(tensor(shape="12")), "inputs[0].shape: expected a list, got a text"),
    "text in shape": (document(tensor(shape=[1, "2"])), "inputs[0].shape[1]: expected an integer"),
    "fraction in shape": (document(tensor(shape=[1, 2.5])), "inputs[0].shape[1]: expected an int"),
    "negative dimension": (document(tensor(shape=[1, -2])), "inputs[0].shape: -2 is not a dim"),
    "two negative dimensions": (document(tensor(shape=[-1, -2])), "-1 is not a dimension from 0"),
    "large dimension": (document(tensor(shape=[2**31])), "2147483648 is not a dimension"),
    "dimension beyond 64 bits": (document(tensor(shape=[2**64])), "inputs[0].shape"),
    "dimension without end": (document(tensor(shape=[10**400])), "inputs[0]"),
    "overflowing shape": (document(tensor(shape=[2**20, 2**20, 2**24])), "means more than 2,147"),
    "high rank": (document(tensor(shape=[1] * 17)), "inputs[0].shape: has more than 16 dimensions"),
    "no datatype": (document(tensor(datatype=None)), "inputs[0]: has no field datatype"),
    "unknown datatype": (document(tensor(datatype="FP31")), "inputs[0].datatype: 'FP31' is unkn"),
    "datatype in lower case": (
        document(tensor(datatype="fp32")),
        "must be one of BF16, BOOL, INT8",
    ),
    "datatype a number": (document(tensor(datatype=32)), "inputs[0].datatype: expected a text"),
    "no data": (document(tensor(data=None)), "inputs[0]: has neither data nor parameters.binary"),
    "data a number": (document(tensor(data=1)), "inputs[0].data: must be a list"),
    "data null": (document().replace(b"[1.5, 2.5]", b"null"), "inputs[0].data: must be a list"),
    "data an object": (document(tensor(data={"a": 1})), "inputs[0].data: must be a list"),
    "size without header": (
        document(raw_tensor()),
        "the header Inference-Header-Content-Length is",
    ),
    "parameters of an input a list": (
        document(tensor(parameters=[])),
        "inputs[0].parameters: expected an object",
    ),
    "shared memory": (
        document(tensor(data=None, parameters={"shared_memory_region": "r"})),
        "inputs[0].parameters.shared_memory_region: shared memory is not supported",
    ),
    "shared memory of an output": (
        document(outputs=[{"name": "y", "parameters": {"shared_memory_byte_size": 8}}]),
        "outputs[0].parameters.shared_memory_byte_size: shared memory is not supported",
    ),
    "id a number": (document(id=1), "id: expected a text, got an integer"),
    "id a list": (document(id=["1"]), "id: expected a text, got a list"),
    "long id": (document(id="1" * 257), "id: must be a text of at most 256 characters"),
    "outputs an object": (document(outputs={"name": "y"}), "outputs: expected a list"),
    "output a text": (document(outputs=["y"]), "outputs[0]: expected an object, got a text"),
    "output without a name": (document(outputs=[{}]), "outputs[0]: has no field name"),
    "repeated output": (
        document(outputs=[{"name": "y"}, {"name": "z"}, {"name": "y"}]),
        "outputs[2].name: 'y' is there twice",
    ),
    "binary_data a text": (
        document(outputs=[{"name": "y", "parameters": {"binary_data": "true"}}]),
        "outputs[0].parameters.binary_data: must be true or false",
    ),
    "classification a text": (
        document(outputs=[{"name": "y", "parameters": {"classification": "3"}}]),
        "outputs[0].parameters.classification: must be a number of classes",
    ),
    "negative classification": (
        document(outputs=[{"name": "y", "parameters": {"classification": -1}}]),
        "outputs[0].parameters.classification: must be a number of classes",
    ),
    "classification true": (
        document(outputs=[{"name": "y", "parameters": {"classification": True}}]),
        "outputs[0].parameters.classification: must be a number of classes",
    ),
    "parameters a list": (document(parameters=[]), "parameters: expected an object, got a list"),
    "binary_data_output a number": (
        document(parameters={"binary_data_output": 1}),
        "parameters.binary_data_output: must be true or false",
    ),
    "timeout a text": (document(parameters={"timeout": "1"}), "parameters.timeout: must be an int"),
    "timeout a fraction": (document(parameters={"timeout": 1.5}), "parameters.timeout: must be"),
    "timeout true": (document(parameters={"timeout": True}), "parameters.timeout: must be"),
    "negative timeout": (document(parameters={"timeout": -1}), "parameters.timeout: must be"),
    "endless timeout": (document(parameters={"timeout": 2**63}), "parameters.timeout: must be"),
    "key a number": (document(parameters={"key": 7}), "parameters.key: must be a text"),
    "empty key": (document(parameters={"key": ""}), "parameters.key: must be a text of 1 to 1024"),
    "long key": (document(parameters={"key": "k" * 1025}), "parameters.key: must be a text"),
    "event_time a text": (
        document(parameters={"event_time": "now"}),
        "parameters.event_time: must",
    ),
    "event_time in ns": (
        document(parameters={"event_time": 10**18}),
        "parameters.event_time: must",
    ),
    "a sequence": (document(parameters={"sequence_id": 3}), "sequences are not supported"),
}

RAW_CASES = {
    "length a word": (document(raw_tensor()) + RAW, "ten", "'ten' is not a length"),
    "empty length": (document(raw_tensor()) + RAW, "", "'' is not a length"),
    "negative length": (document(raw_tensor()) + RAW, "-1", "'-1' is not a length"),
    "length with a sign": (document(raw_tensor()) + RAW, "+9", "'+9' is not a length"),
    "length a fraction": (document(raw_tensor()) + RAW, "9.0", "'9.0' is not a length"),
    "hexadecimal length": (document(raw_tensor()) + RAW, "0x80", "'0x80' is not a length"),
    "length in other digits": (document(raw_tensor()) + RAW, "٣", "is not a length"),
    "endless length": (document(raw_tensor()) + RAW, "9" * 5000, "is not a length"),
    "length beyond the body": (document() + RAW, "9999999", "is 9999999, but the body has only"),
    "raw body": (RAW, "0", "a body without JSON is not supported"),
    "length within the JSON": (document(raw_tensor()) + RAW, "20", "the body: is not JSON"),
    "length within the raw bytes": (
        document(raw_tensor()) + RAW,
        str(len(document(raw_tensor())) + 2),
        "the body: is not JSON",
    ),
    "raw bytes of nobody": (document() + RAW, None, "8 bytes behind the JSON belong to no input"),
    "too many raw bytes": (
        document(raw_tensor()) + RAW * 2,
        None,
        "8 bytes behind the JSON belong",
    ),
    "too few raw bytes": (
        document(raw_tensor()) + RAW[:4],
        None,
        "inputs[0].parameters.binary_data_size: is 8, but only 4 bytes are left behind the JSON",
    ),
    "no bytes for the second": (
        document(raw_tensor(), raw_tensor(name="y")) + RAW,
        None,
        "inputs[1].parameters.binary_data_size: is 8, but only 0 bytes",
    ),
    "size below the shape": (
        document(raw_tensor(4)) + RAW[:4],
        None,
        "inputs[0]: has 4 raw bytes, but 2 values of FP32 have 8",
    ),
    "size above the shape": (document(raw_tensor(16)) + RAW * 2, None, "2 values of FP32 have 8"),
    "size of another datatype": (
        document(raw_tensor(8, datatype="BF16")) + RAW,
        None,
        "inputs[0]: has 8 raw bytes, but 2 values of BF16 have 4",
    ),
    "size negative": (document(raw_tensor(-8)) + RAW, None, "size: must be a number of bytes"),
    "size a text": (document(raw_tensor("8")) + RAW, None, "size: must be a number of bytes"),
    "size a fraction": (document(raw_tensor(8.5)) + RAW, None, "size: must be a number of bytes"),
    "size true": (document(raw_tensor(size=True)) + RAW, None, "size: must be a number of bytes"),
    "size beyond 64 bits": (document(raw_tensor(2**63)) + RAW, None, "size: must be a number of"),
    "overflowing size": (document(raw_tensor(2**63 - 1)) + RAW, None, "inputs[0]: has 92233720"),
    "size and data": (
        document(tensor(parameters={"binary_data_size": 8})) + RAW,
        None,
        "inputs[0]: has both data and binary_data_size; send one of them",
    ),
    "strings without lengths": (
        document(raw_tensor(4, datatype="BYTES")) + RAW[:4],
        None,
        "inputs[0]: has 4 raw bytes, but 2 strings with their lengths of 4 bytes have at least 8",
    ),
    "bytes for no strings": (
        document(raw_tensor(8, datatype="BYTES", shape=[0])) + RAW,
        None,
        "inputs[0]: has 8 raw bytes, but 0 strings",
    ),
    "bytes for no numbers": (document(raw_tensor(8, shape=[0, 2])) + RAW, None, "0 values of FP32"),
}


def refusal(body, length):
    with pytest.raises(ProtocolError) as caught:
        read_infer(body, length)
    assert (caught.value.status, caught.value.grpc_code) == (400, "INVALID_ARGUMENT")
    json.dumps(caught.value.message)
    return caught.value.message


@pytest.mark.parametrize(("body", "reason"), JSON_CASES.values(), ids=JSON_CASES)
def test_call_in_json_is_refused(body, reason):
    assert reason in refusal(body, None)
    if "missing" not in reason and "header" not in reason:
        assert reason in refusal(body, str(len(body)) if body else None)


@pytest.mark.parametrize(("body", "length", "reason"), RAW_CASES.values(), ids=RAW_CASES)
def test_call_with_raw_tensors_is_refused(body, length, reason):
    end = body.find(b"\0")
    length = str(end if end >= 0 else len(body)) if length is None else length

    assert reason in refusal(body, length)


def test_messages_show_what_the_caller_sent_only_escaped_and_cut():
    message = refusal(document(tensor(datatype="\x1b[31m" + "A" * 500)), None)

    assert message.isprintable()
    assert "\\x1b[31m" in message
    assert len(message) < 300
