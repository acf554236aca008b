"""Decodes and encodes the usual requests and responses, many at a time, in a tenth of the time.

The contracts remain the definition: `codec.decode` reads every value that is decoded here alike.
A decoder returns None for an unusual value, which is then left to codec.py. Records are decoded one
by one and never concatenated, so that no record can affect its neighbour. Reasons and
measurements: docs/adr/0011.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from modstream.broker.wire.bounds import (
    Alias,
    Code,
    Dimension,
    EventTime,
    JsonInt,
    Name,
    VersionNumber,
)
from modstream.broker.wire.identifiers import RequestId

T = TypeVar("T")
V = TypeVar("V")

ABSENT = Raw(b"")
JSON_TYPES: Mapping[str, Any] = MappingProxyType(
    {"float": float, "int": JsonInt, "bool": bool, "string": str}
)
"""The JSON type of each kind of feature; a float may be written as an integer."""
MAX_OPENING_BRACKETS = 64
"""Documents with more opening brackets count as deep; pydantic accepts a deeper nesting."""
NumericDatatype = Literal[
    "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
    "FP16", "BF16", "FP32", "FP64",
]  # fmt: skip


class RequestHead(Struct, frozen=True, gc=False):
    """A `Request` whose features and inputs are still JSON."""

    id: RequestId
    features: Raw = ABSENT
    inputs: Raw = ABSENT
    model: Code | None = None
    version: VersionNumber | Alias = "champion"
    event_time: EventTime | None = None
    schema_version: Literal[1] = 1


class Matrix(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A numeric tensor of shape [n, k] with flat data."""

    name: Name
    shape: tuple[Dimension, Dimension]
    datatype: NumericDatatype
    data: list[float]


class BinaryParameters(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Parameters of a raw tensor: how many of the bytes behind the JSON belong to the tensor."""

    binary_data_size: Dimension


class RawMatrix(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A numeric tensor of shape [n, k] whose data follow the JSON."""

    name: Name
    shape: tuple[Dimension, Dimension]
    datatype: Literal["FP32"]
    parameters: BinaryParameters


def decode_each(decode: Callable[[V], T], values: Iterable[V]) -> list[T | None]:
    """Decode every value; the result has None for a value that cannot be decoded."""
    found: list[T | None] = []
    rest = iter(values)
    while True:
        try:
            # If a value fails, `found` keeps the results before it and `rest` continues behind it.
            found.extend(map(decode, rest))
            return found
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found.append(None)


class HeadDecoder:
    """Decodes the heads of requests."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(RequestHead).decode

    def decode(self, documents: Sequence[bytes]) -> list[RequestHead | None]:
        """Return the head of each JSON document, or None where codec.py must decode it."""
        if not are_ascii_and_shallow(documents):
            documents = [text if is_utf8_and_shallow(text) else b"" for text in documents]
        return decode_each(self._decode, documents)


class RowDecoder:
    """Decodes features by name: exactly the features of one schema, each of its kind."""

    def __init__(self, features: Sequence[tuple[str, str]]) -> None:
        fields = [(f"f{at}", JSON_TYPES[kind]) for at, (_, kind) in enumerate(features)]
        names = {f"f{at}": name for at, (name, _) in enumerate(features)}
        row = msgspec.defstruct(
            "Row", fields, rename=names, frozen=True, gc=False, forbid_unknown_fields=True
        )
        self._decode = msgspec.json.Decoder(row).decode
        self._encode = msgspec.json.Encoder().encode
        self._colons = len(features) if all(":" not in name for name, _ in features) else None

    def decode(self, features: Iterable[Raw]) -> list[Struct | None]:
        """Return the row of each request, or None where codec.py must decode it."""
        return decode_each(self._decode, features)

    def to_tuples(self, rows: Iterable[Struct]) -> Iterator[tuple[Any, ...]]:
        """Return the values of each row, in the order of the schema."""
        return map(msgspec.structs.astuple, rows)

    def to_json(self, rows: Sequence[Struct], features: Sequence[Raw]) -> Sequence[bytes | Raw]:
        """Return the rows as JSON: the original bytes if each row names each feature only once.

        A row has at least one colon per feature. If all rows together have no more than that, no
        row repeats a name, and every JSON parser reads the same values. Otherwise all rows are
        encoded again.
        """
        if b"".join(features).count(b":") == len(rows) * (self._colons or -1):
            return features
        return list(map(self._encode, rows))


class MatrixDecoder:
    """Decodes requests of one row of numbers, given as a single tensor of shape [1, k]."""

    def __init__(self, width: int) -> None:
        self._shape = (1, width)
        self._decode = msgspec.json.Decoder(tuple[Matrix]).decode

    def decode(self, inputs: Iterable[Raw]) -> list[list[float] | None]:
        """Return the k numbers of each request, or None where codec.py must decode it."""
        found = decode_each(self._decode, inputs)
        return [
            tensors[0].data if tensors and self._fits(tensors[0]) else None for tensors in found
        ]

    def _fits(self, tensor: Matrix) -> bool:
        return tensor.shape == self._shape and len(tensor.data) == self._shape[1]

    def data_json(self, inputs: Sequence[Raw]) -> list[bytes] | None:
        """Return the numbers of decoded tensors as their original JSON, or None if ambiguous.

        A tensor has four colons, one after each key. If all tensors together have no more, no name
        has a colon and no key is repeated, so the list after `"data":` is the one that was decoded.
        """
        documents = list(map(bytes, inputs))
        if sum(document.count(b":") for document in documents) != 4 * len(documents):
            return None
        found = []
        for document in documents:
            key = document.find(b'"data":')
            start = document.find(b"[", key)
            if key < 0:
                return None
            found.append(document[start : document.find(b"]", start) + 1])
        return found


class RawMatrixDecoder:
    """Decodes requests of one row of numbers, given as a single raw FP32 tensor of shape [1, k]."""

    def __init__(self, width: int) -> None:
        self._shape = (1, width)
        self._size = 4 * width
        self._decode = msgspec.json.Decoder(tuple[RawMatrix]).decode

    def decode(self, inputs: Iterable[Raw], tails: Iterable[bytes]) -> list[bytes | None]:
        """Return the k little-endian numbers of each request, or None for codec.py to decode."""
        found = decode_each(self._decode, inputs)
        return [
            tail if tensors and len(tail) == self._size and self._fits(tensors[0]) else None
            for tensors, tail in zip(found, tails, strict=True)
        ]

    def _fits(self, tensor: RawMatrix) -> bool:
        return tensor.shape == self._shape and tensor.parameters.binary_data_size == self._size


def are_ascii_and_shallow(documents: Sequence[bytes]) -> bool:
    """Return whether all documents are ASCII and not deep. Most batches are; the check is fast."""
    braces = max(map(bytes.count, documents, repeat(b"{")), default=0)
    brackets = max(map(bytes.count, documents, repeat(b"[")), default=0)
    return braces + brackets <= MAX_OPENING_BRACKETS and all(map(bytes.isascii, documents))


def is_utf8_and_shallow(document: bytes) -> bool:
    """Return whether a document is UTF-8 and not deep, even in parts that a decoder skips."""
    if document.count(b"{") + document.count(b"[") > MAX_OPENING_BRACKETS:
        return False
    if document.isascii():
        return True
    try:
        document.decode()
    except UnicodeDecodeError:
        return False
    return True


def json_document(value: object) -> bytes:
    """Encode one value as JSON."""
    return msgspec.json.encode(value)


def json_numbers(values: Sequence[float]) -> list[bytes]:
    """Encode each of these finite numbers as JSON."""
    return msgspec.json.encode(values)[1:-1].split(b",") if values else []


def json_strings(values: Sequence[str]) -> list[bytes]:
    """Encode each string as JSON, without its enclosing quotes."""
    together = msgspec.json.encode(values)
    # A quote inside a string is escaped, so without a backslash every quote delimits a string.
    if b"\\" in together or not values:
        return [msgspec.json.encode(value)[1:-1] for value in values]
    return together[2:-2].split(b'","')


def join_columns(parts: Iterable[bytes | Sequence[bytes | Raw]]) -> list[bytes]:
    """Concatenate constant parts and columns of parts row by row; at least one is a column."""
    columns = (repeat(part) if isinstance(part, bytes) else part for part in parts)
    return list(map(b"".join, zip(*columns, strict=False)))
