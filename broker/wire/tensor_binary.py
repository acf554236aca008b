"""Decodes and encodes raw tensors: JSON first, then the bytes of the tensors without `data`.

The header `inference-header-content-length` is the length of the JSON. `binary_data_size` among a
tensor's parameters is the number of raw bytes that belong to it, in the order of the tensors.
Numbers are little-endian and row-major; each string follows its length, which has four bytes. A
number of type BF16 is the upper half of the FP32 number that it equals.
Source: the Open Inference Protocol's binary tensor data extension,
https://github.com/kserve/open-inference-protocol.
"""

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from modstream.broker.errors import NotJson
from modstream.broker.wire.record_batch import parse_headers
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

MAX_LENGTH_DIGITS = 10
STRUCT_CODES: Mapping[str, str] = MappingProxyType(
    {"BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B"}
    | {"UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d"}
)
"""The format character of Python's `struct` for each datatype that it knows."""
ITEM_SIZES: Mapping[str, int] = MappingProxyType(
    {"BF16": 2} | {name: struct.calcsize(code) for name, code in STRUCT_CODES.items()}
)
"""The number of bytes of one value of each datatype; those of BYTES have no fixed size."""


def split_payload(record: Record) -> tuple[bytes, bytes | None]:
    """Return a request's JSON and the raw bytes behind it, or None if the length header is absent.

    Raises:
        NotJson: the record has no value, or the header is not a valid length of it.
    """
    if record.value is None:
        raise NotJson("the record has no value")
    length = parse_headers(record.headers).json_length if record.headers else None
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
    inputs, start = [], 0
    for tensor in document["inputs"]:
        size = binary_data_size(tensor)
        if size is None:
            inputs.append(tensor)
            continue
        left = len(tail) - start
        if size > left:
            raise ValueError(f"a tensor has {size} raw bytes, but only {left} are left")
        raw = tail[start : start + size]
        inputs.append({**tensor, "data": decode_values(str(tensor.get("datatype")), raw)})
        start += size
    if start < len(tail):
        raise ValueError(f"{len(tail) - start} raw bytes belong to no tensor")
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
    size = ITEM_SIZES.get(datatype)
    if size is None or len(raw) % size:
        raise ValueError(
            f"{len(raw)} raw bytes cannot be decoded as values of type {datatype[:40]}"
        )
    count = len(raw) // size
    if datatype == "BF16":
        return list(struct.unpack(f"<{count}f", widen(raw)))
    return list(struct.unpack(f"<{count}{STRUCT_CODES[datatype]}", raw))


def widen(raw: bytes) -> bytes:
    """Return numbers of type BF16 as the FP32 numbers that they equal."""
    wide = bytearray(2 * len(raw))
    wide[2::4], wide[3::4] = raw[::2], raw[1::2]
    return bytes(wide)


def decode_strings(raw: bytes) -> list[str]:
    """Decode strings, each preceded by its length.

    Raises:
        ValueError: a string is truncated, or not UTF-8.
    """
    found, start = [], 0
    while start < len(raw):
        end = start + 4 + int.from_bytes(raw[start : start + 4], "little")
        if end > len(raw) or start + 4 > len(raw):
            raise ValueError("a string is truncated")
        found.append(raw[start + 4 : end].decode())
        start = end
    return found


def encode_values(datatype: str, values: Sequence[Any]) -> bytes:
    """Encode the values of one tensor: the inverse of `decode_values`.

    Args:
        datatype: a datatype of the protocol.
        values: numbers, booleans, or for BYTES texts in Unicode or bytes.

    Raises:
        ValueError: a value is not of the datatype, or out of its range.
    """
    if datatype == "BYTES":
        return encode_strings(values)
    code = "f" if datatype == "BF16" else STRUCT_CODES.get(datatype)
    if code is None:
        raise ValueError(f"the datatype {datatype[:40]} is unknown")
    if code == "?" and not all(isinstance(value, bool) for value in values):
        raise ValueError("a value of type BOOL is neither true nor false")
    try:
        raw = struct.pack(f"<{len(values)}{code}", *values)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"a value is not of type {datatype}: {error}") from None
    return narrow(raw) if datatype == "BF16" else raw


def narrow(raw: bytes) -> bytes:
    """Return FP32 numbers as the nearest ones of type BF16; ties go to the even one."""
    count = len(raw) // 4
    return struct.pack(f"<{count}H", *map(_nearest, struct.unpack(f"<{count}I", raw)))


def _nearest(bits: int) -> int:
    """Return the bits of the BF16 number that is nearest to the FP32 number with these bits."""
    if bits & 0x7FFFFFFF > 0x7F800000:  # NaN, which rounding could turn into infinity
        return bits >> 16 | 0x40
    return bits + 0x7FFF + (bits >> 16 & 1) >> 16


def encode_strings(values: Sequence[str | bytes]) -> bytes:
    """Encode strings, each preceded by its length.

    Raises:
        ValueError: a value is neither text nor bytes.
    """
    parts: list[bytes] = []
    for value in values:
        if not isinstance(value, str | bytes):
            raise ValueError(f"a value of type BYTES is {type(value).__name__}, not a text")  # noqa: TRY004 - a fault of the data
        encoded = value.encode() if isinstance(value, str) else value
        parts += (struct.pack("<I", len(encoded)), encoded)
    return b"".join(parts)
