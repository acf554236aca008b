"""Raw tensors: what is encoded is decoded again, and what is not of its datatype is refused."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import decode_request
from modstream.broker.wire.records import Record
from modstream.broker.wire.tensor_binary import ITEM_SIZES, decode_values, encode_values
from modstream.broker.wire.topics import Header


@pytest.mark.parametrize("datatype", ITEM_SIZES)
@given(raw=st.binary(max_size=64))
def test_all_bytes_that_are_numbers_survive_decoding_and_encoding(datatype, raw):
    raw = raw[: len(raw) - len(raw) % ITEM_SIZES[datatype]]

    values = decode_values(datatype, raw)

    assert len(values) == len(raw) // ITEM_SIZES[datatype]
    if datatype == "BOOL":
        assert encode_values(datatype, values) == bytes(map(bool, raw))
    elif not any(map(math.isnan, values)):
        assert encode_values(datatype, values) == raw


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_texts_survive_encoding_and_decoding(texts):
    assert decode_values("BYTES", encode_values("BYTES", texts)) == texts


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        *(("INT8", 128), ("UINT8", -1), ("UINT64", 2**64), ("INT64", 1.5), ("INT16", "1")),
        *(("FP16", 70000.0), ("FP32", 1e39), ("FP64", "1"), ("FP64", None), ("BF16", 1e39)),
        *(("BOOL", 1), ("BOOL", "yes"), ("BYTES", 1), ("BYTES", None), ("FP31", 1.0)),
    ],
)
def test_a_value_of_another_datatype_is_refused(datatype, value):
    with pytest.raises(ValueError, match=datatype):
        encode_values(datatype, [value])


def test_bf16_numbers_of_a_request_are_read():
    tensor = {"name": "x", "shape": [1, 2], "datatype": "BF16"}
    head = {"id": "a", "inputs": [{**tensor, "parameters": {"binary_data_size": 4}}]}
    document = json.dumps(head).encode()
    headers = ((Header.JSON_LENGTH.value, str(len(document)).encode()),)

    request = decode_request(Record("t", 0, 0, None, document + b"\xc0\x3f\x00\xc0", headers))

    assert request.inputs[0].data == [1.5, -2.0]
