"""Decodes requests with raw tensors: JSON first, then the bytes of the tensors without `data`.

The header `inference-header-content-length` is the length of the JSON. `binary_data_size` among a
tensor's parameters is the number of raw bytes that belong to it, in the order of the tensors.
Numbers are little-endian and row-major; each string follows its length, which has four bytes.
Source: the Open Inference Protocol's binary tensor data extension,
https://github.com/kserve/open-inference-protocol.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modstream.broker.errors import NotJson
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

MAX_LENGTH_DIGITS = 10
STRUCT_CODES: Mapping[str, str] = MappingProxyType(
    {"BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B"}
    | {"UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d"}
)
"""The format character of Python's `struct` for each datatype of the protocol."""


def split_payload(record: Record) -> tuple[bytes, bytes | None]:
    """Return a request's JSON and the raw bytes behind it, or None if the length header is absent.

    Raises:
        NotJson: the record has no value, or the header is not a valid length of it.
    """
    if record.value is None:
        raise NotJson("the record has no value")
    length = record.header(Header.JSON_LENGTH) if record.headers else None
    return (record.value, None) if length is None else split_at(record.value, length)


def split_at(value: bytes, length: bytes) -> tuple[bytes, bytes]:
    """Return a request's JSON and the raw bytes behind it.

    Args:
        value: the record's value.
        length: the value of the length header, in decimal digits.

    Raises:
        NotJson: the length is not a number, or the value is shorter.
    """
    if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS or (end := int(length)) > len(value):
        raise NotJson(
            f"the header {Header.JSON_LENGTH} is {length[:40]!r}, "
            f"which is not a length within the value's {len(value)} bytes"
        )
    return value[:end], value[end:]


def with_tensor_data(document: Any, tail: bytes) -> Any:  # noqa: ANN401 - JSON that is not validated yet
    """Return a request's JSON with the values of its raw tensors filled in.

    Raises:
        ValueError: the raw bytes do not fit the tensors.
    """
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        raise ValueError("raw bytes follow the JSON, but it has no list of inputs")  # noqa: TRY004 - a fault of the data
    inputs = []
    for tensor in document["inputs"]:
        size = binary_data_size(tensor)
        if size is None:
            inputs.append(tensor)
            continue
        if size > len(tail):
            raise ValueError(f"a tensor has {size} raw bytes, but only {len(tail)} are left")
        inputs.append({**tensor, "data": decode_values(str(tensor.get("datatype")), tail[:size])})
        tail = tail[size:]
    if tail:
        raise ValueError(f"{len(tail)} raw bytes belong to no tensor")
    return {**document, "inputs": inputs}


def binary_data_size(tensor: Any) -> int | None:  # noqa: ANN401 - JSON that is not validated yet
    """Return how many raw bytes a tensor claims, or None if its data are part of the JSON."""
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if type(size) is int and size >= 0 else None


def decode_values(datatype: str, raw: bytes) -> list[Any]:
    """Decode the raw bytes of one tensor.

    Raises:
        ValueError: the datatype is unknown, the bytes are not a whole number of values, or a
            string is not UTF-8.
    """
    if datatype == "BYTES":
        return decode_strings(raw)
    code = STRUCT_CODES.get(datatype)
    if code is None or len(raw) % struct.calcsize(code):
        raise ValueError(f"{len(raw)} raw bytes cannot be decoded as values of type {datatype}")
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw))


def decode_strings(raw: bytes) -> list[str]:
    """Decode strings, each preceded by its length.

    Raises:
        ValueError: a string is truncated, or not UTF-8.
    """
    found = []
    while raw:
        size = int.from_bytes(raw[:4], "little")
        if len(raw) < 4 + size:
            raise ValueError("a string is truncated")
        found.append(raw[4 : 4 + size].decode())
        raw = raw[4 + size :]
    return found
