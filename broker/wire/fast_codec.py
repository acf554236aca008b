"""The usual requests and answers, many at a time: what codec.py does, in a tenth of the time.

The contracts stay the definition. Whatever is read here, `codec.decode` reads alike; of anything
unusual nothing is said but None, and codec.py has the word. Records are read one by one, never
strung together: none of them can reach into its neighbour. Why so and how fast: docs/adr/0011.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

T = TypeVar("T")
V = TypeVar("V")

ABSENT = Raw(b"")
INT64 = Meta(ge=-(2**63), le=2**63 - 1)
TYPES: Mapping[str, Any] = MappingProxyType(
    {"float": float, "int": Annotated[int, INT64], "bool": bool, "string": str}
)
"""What a feature of each kind must be in JSON; a float may be an integer there."""
DEEPEST = 64
"""Brackets that a plain document opens at most; pydantic follows deeper than that."""
NUMBERS = Literal[
    "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64"
]


class Head(Struct, frozen=True, gc=False):
    """A request of which features or inputs are still the bytes that came; see `Request`."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    features: Raw = ABSENT
    inputs: Raw = ABSENT
    model: str | None = None
    version: int | str = "champion"
    event_time: int | None = None
    schema_version: Literal[1] = 1


class Matrix(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A tensor of numbers, [n, k], with flat data."""

    name: str
    shape: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]
    datatype: NUMBERS
    data: list[float]


class Binary(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How much of the raw bytes behind the JSON is a tensor's."""

    binary_data_size: Annotated[int, Meta(ge=0)]


class RawMatrix(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A tensor of numbers, [n, k], whose data stand behind the JSON."""

    name: str
    shape: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]
    datatype: Literal["FP32"]
    parameters: Binary


def each(read: Callable[[V], T], values: Iterable[V]) -> list[T | None]:
    """Read every value; None stands for one that cannot be read."""
    found: list[T | None] = []
    rest = iter(values)
    while True:
        try:
            # What was read before a value that fails stays in the list, and `rest` is behind it.
            found.extend(map(read, rest))
            return found
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found.append(None)


class Heads:
    """Reads the heads of requests."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Head).decode

    def read(self, documents: Sequence[bytes]) -> list[Head | None]:
        """The head of each JSON document; None for one that codec.py must look at."""
        if not are_plain(documents):
            documents = [text if is_plain(text) else b"" for text in documents]
        return each(self._decode, documents)


class Rows:
    """Reads features by name, all of a schema's and no others, each of its kind."""

    def __init__(self, features: Sequence[tuple[str, str]]) -> None:
        fields = [(f"f{at}", TYPES[kind]) for at, (_, kind) in enumerate(features)]
        names = {f"f{at}": name for at, (name, _) in enumerate(features)}
        row = msgspec.defstruct(
            "Row", fields, rename=names, frozen=True, gc=False, forbid_unknown_fields=True
        )
        self._decode = msgspec.json.Decoder(row).decode
        self._encode = msgspec.json.Encoder().encode
        self._colons = len(features) if all(":" not in name for name, _ in features) else None

    def read(self, features: Iterable[Raw]) -> list[Struct | None]:
        """The row of each request; None for one that codec.py must look at."""
        return each(self._decode, features)

    def tuples(self, rows: Iterable[Struct]) -> Iterator[tuple[Any, ...]]:
        """The values of each row, in the schema's order."""
        return map(msgspec.structs.astuple, rows)

    def written(self, rows: Sequence[Struct], features: Sequence[Raw]) -> Sequence[bytes | Raw]:
        """Rows as JSON: the bytes that came, if they hold each feature once, else written anew.

        A row has a colon for each feature at least. If all rows together have no more, no name
        stands twice in any of them, and every reader finds the value that we have read.
        """
        if b"".join(features).count(b":") == len(rows) * (self._colons or -1):
            return features
        return list(map(self._encode, rows))


class Matrices:
    """Reads requests of one row of numbers, given as a single [1, k] tensor."""

    def __init__(self, width: int) -> None:
        self._shape = (1, width)
        self._decode = msgspec.json.Decoder(tuple[Matrix]).decode

    def read(self, inputs: Iterable[Raw]) -> list[list[float] | None]:
        """The k numbers of each request; None for one that codec.py must look at."""
        found = each(self._decode, inputs)
        return [
            tensors[0].data if tensors and self._fits(tensors[0]) else None for tensors in found
        ]

    def _fits(self, tensor: Matrix) -> bool:
        return tensor.shape == self._shape and len(tensor.data) == self._shape[1]

    def data(self, inputs: Sequence[Raw]) -> list[bytes] | None:
        """The numbers of tensors that were read, as the JSON that came; None if it is ambiguous.

        A tensor has four colons, one behind each key. If all together have no more, none stands
        in a name and no key twice, so what follows `"data":` is the list that we have read.
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


class RawMatrices:
    """Reads requests of one row of numbers, given as a single [1, k] tensor of raw float32."""

    def __init__(self, width: int) -> None:
        self._shape = (1, width)
        self._size = 4 * width
        self._decode = msgspec.json.Decoder(tuple[RawMatrix]).decode

    def read(self, inputs: Iterable[Raw], tails: Iterable[bytes]) -> list[bytes | None]:
        """The k little-endian numbers of each request; None for one codec.py must look at."""
        found = each(self._decode, inputs)
        return [
            tail if tensors and len(tail) == self._size and self._fits(tensors[0]) else None
            for tensors, tail in zip(found, tails, strict=True)
        ]

    def _fits(self, tensor: RawMatrix) -> bool:
        return tensor.shape == self._shape and tensor.parameters.binary_data_size == self._size


def are_plain(documents: Sequence[bytes]) -> bool:
    """Whether all documents are ASCII and none is deep: what most batches are, soon found out."""
    braces = max(map(bytes.count, documents, repeat(b"{")), default=0)
    brackets = max(map(bytes.count, documents, repeat(b"[")), default=0)
    return braces + brackets <= DEEPEST and all(map(bytes.isascii, documents))


def is_plain(document: bytes) -> bool:
    """Whether a document is UTF-8 and not deep, also where a decoder only skips over it."""
    if document.count(b"{") + document.count(b"[") > DEEPEST:
        return False
    if document.isascii():
        return True
    try:
        document.decode()
    except UnicodeDecodeError:
        return False
    return True


def json_document(value: object) -> bytes:
    """One value as JSON."""
    return msgspec.json.encode(value)


def json_numbers(values: Sequence[float]) -> list[bytes]:
    """Finite numbers as JSON, each for itself."""
    return msgspec.json.encode(values)[1:-1].split(b",") if values else []


def json_texts(values: Sequence[str]) -> list[bytes]:
    """Strings as JSON, each for itself, without the quotes around them."""
    together = msgspec.json.encode(values)
    # Only an escape can put a quote into a string, and only a quote could look like its end.
    if b"\\" in together or not values:
        return [msgspec.json.encode(value)[1:-1] for value in values]
    return together[2:-2].split(b'","')


def joined(parts: Iterable[bytes | Sequence[bytes | Raw]]) -> list[bytes]:
    """Documents of constant and changing parts, of which at least one changes."""
    columns = (repeat(part) if isinstance(part, bytes) else part for part in parts)
    return list(map(b"".join, zip(*columns, strict=False)))
