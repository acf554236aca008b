"""Requests with raw tensors: JSON first, then the bytes of the tensors that have no data in it.

The header `inference-header-content-length` says how much is JSON; `binary_data_size` among a
tensor's parameters says how many bytes are its own, in the order of the tensors. Numbers are
little-endian and row-major, strings are led by their length, four bytes. Source: the Open Inference
Protocol's binary tensor data extension, https://github.com/kserve/open-inference-protocol.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modstream.broker.errors import NotJson
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

MOST_DIGITS = 10
CODES: Mapping[str, str] = MappingProxyType(
    {"BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B"}
    | {"UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d"}
)
"""Python's struct codes of the protocol's datatypes."""


def split(record: Record) -> tuple[bytes, bytes | None]:
    """A request's JSON and the raw bytes behind it, None where the record promises none.

    Raises:
        NotJson: there is no value, or it is shorter than its header says.
    """
    if record.value is None:
        raise NotJson("the record has no value")
    length = record.header(Header.JSON_LENGTH) if record.headers else None
    return (record.value, None) if length is None else cut(record.value, length)


def cut(value: bytes, length: bytes) -> tuple[bytes, bytes]:
    """A request's JSON and the raw bytes behind it, by what its header says of their length.

    Raises:
        NotJson: the value is shorter, or that is no length.
    """
    if not length.isdigit() or len(length) > MOST_DIGITS or (end := int(length)) > len(value):
        raise NotJson(f"its length is said to be {length[:40]!r} of {len(value)} bytes")
    return value[:end], value[end:]


def filled(document: Any, tail: bytes) -> Any:  # noqa: ANN401 - JSON of any kind, to be judged later
    """A request's JSON with the data of its raw tensors put in.

    Raises:
        ValueError: the raw bytes are not what the tensors say.
    """
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        raise ValueError("raw bytes belong to inputs, and there are none")  # noqa: TRY004 - a document's fault
    inputs = []
    for tensor in document["inputs"]:
        size = binary_size(tensor)
        if size is None:
            inputs.append(tensor)
            continue
        if size > len(tail):
            raise ValueError(f"a tensor has {size} bytes, {len(tail)} are left")
        inputs.append({**tensor, "data": values(str(tensor.get("datatype")), tail[:size])})
        tail = tail[size:]
    if tail:
        raise ValueError(f"{len(tail)} bytes belong to no tensor")
    return {**document, "inputs": inputs}


def binary_size(tensor: Any) -> int | None:  # noqa: ANN401 - JSON of any kind
    """How many raw bytes a tensor says it has, None if its data stand in the JSON."""
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if type(size) is int and size >= 0 else None


def values(datatype: str, raw: bytes) -> list[Any]:
    """The values of a tensor's raw bytes.

    Raises:
        ValueError: they are no whole number of values, or not UTF-8.
    """
    if datatype == "BYTES":
        return texts(raw)
    code = CODES.get(datatype)
    if code is None or len(raw) % struct.calcsize(code):
        raise ValueError(f"{len(raw)} bytes are no values of type {datatype}")
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw))


def texts(raw: bytes) -> list[str]:
    """Strings that are each led by their length.

    Raises:
        ValueError: a string is cut short, or not UTF-8.
    """
    found = []
    while raw:
        size = int.from_bytes(raw[:4], "little")
        if len(raw) < 4 + size:
            raise ValueError("a string is cut short")
        found.append(raw[4 : 4 + size].decode())
        raw = raw[4 + size :]
    return found
