"""Rows of a copy of the topic of features, in the order in which they are read.

g  hash of a group, aggregation, slice, owner   -> a partial aggregate; for workers
o  owner, 0, aggregation, slice, group          -> a partial aggregate; for the aggregator
p  key of the topic                             -> an offset of the topic
m                                               -> how far the topic was applied

Slices are in the order of their numbers. A hash has 128 bits, so no two groups share one.
"""

from hashlib import blake2b
from struct import Struct
from typing import NamedTuple, Protocol

import msgspec

from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.events import PartialKey

BY_GROUP, BY_OWNER = b"g", b"o"
OFFSETS, PROGRESS = b"p", b"m"
HASH_BYTES = 16
ID_BYTES = 6
"""The bytes of an aggregation's id, of which each is two hexadecimal digits."""
_SLICE = Struct(">Q")
_ZERO = 2**63
_JSON = msgspec.json.Encoder()
_GROUP = msgspec.json.Decoder(tuple[str, ...])
_AGGREGATION_AT = 1 + HASH_BYTES
_SLICE_AT = _AGGREGATION_AT + ID_BYTES
_OWNER_AT = _SLICE_AT + _SLICE.size


class RowOrder(Protocol):
    """Where a partial aggregate is among the rows; `prefix_bytes` is that of scans, or 0."""

    name: str
    prefix_bytes: int

    def row(self, owner: str, key: PartialKey) -> bytes:
        """Return the row of a partial aggregate.

        Raises:
            UnreadableFeatureState: the key is none that an aggregator writes.
        """


class GroupRow(NamedTuple):
    """What a row for workers is of, besides its group."""

    aggregation: str
    slice: int
    owner: str


class ByGroup:
    """The rows for workers: all partial aggregates of a group are together."""

    name = "group"
    prefix_bytes = 1 + HASH_BYTES

    def row(self, owner: str, key: PartialKey) -> bytes:
        """Return the row of a partial aggregate."""
        return self.prefix(key.group) + _place(key) + owner.encode(errors="surrogatepass")

    def prefix(self, group: tuple[str | None, ...]) -> bytes:
        """Return what all rows of a group begin with."""
        return BY_GROUP + blake2b(_JSON.encode(group), digest_size=HASH_BYTES).digest()

    def group_of(self, row: bytes) -> bytes:
        """Return what tells the groups of an aggregation apart: both, in a row."""
        return row[:_SLICE_AT]

    def parse(self, row: bytes) -> GroupRow:
        """Return what a row is of."""
        (number,) = _SLICE.unpack_from(row, _SLICE_AT)
        owner = row[_OWNER_AT:].decode(errors="surrogatepass")
        return GroupRow(row[_AGGREGATION_AT:_SLICE_AT].hex(), number - _ZERO, owner)


class ByOwner:
    """The rows for the aggregator: what has expired of an owner's aggregation comes first."""

    name = "owner"
    prefix_bytes = 0

    def row(self, owner: str, key: PartialKey) -> bytes:
        """Return the row of a partial aggregate."""
        return self.prefix(owner) + _place(key) + _JSON.encode(key.group)

    def prefix(self, owner: str) -> bytes:
        """Return what all rows of an owner begin with."""
        return BY_OWNER + owner.encode(errors="surrogatepass") + b"\0"

    def bounds(self, owner: str, aggregation: str, end: int | None = None) -> tuple[bytes, bytes]:
        """Return where an aggregation's rows begin and end, or those of slices before `end`."""
        start = self.prefix(owner) + bytes.fromhex(aggregation)
        return start, start + (b"\xff" * 9 if end is None else _slice_bytes(end))

    def aggregation(self, owner: str, row: bytes) -> str:
        """Return the aggregation of a row of an owner."""
        start = len(self.prefix(owner))
        return row[start : start + ID_BYTES].hex()

    def parse(self, owner: str, row: bytes) -> PartialKey:
        """Return what a row of an owner is of."""
        start = len(self.prefix(owner))
        (number,) = _SLICE.unpack_from(row, start + ID_BYTES)
        group = _GROUP.decode(row[start + ID_BYTES + _SLICE.size :])
        return PartialKey(row[start : start + ID_BYTES].hex(), group, number - _ZERO)


def _place(key: PartialKey) -> bytes:
    try:
        found = bytes.fromhex(key.aggregation)
    except ValueError:
        found = b""
    if len(found) != ID_BYTES or not -_ZERO <= key.slice < _ZERO:
        raise UnreadableFeatureState(f"key: {key!r}")
    return found + _SLICE.pack(key.slice + _ZERO)


def _slice_bytes(number: int) -> bytes:
    return _SLICE.pack(max(0, min(number + _ZERO, 2**64 - 1)))
