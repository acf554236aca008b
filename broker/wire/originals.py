"""The original of a record whose value was cut: where it is, and what it was.

`record_size.cut_value` writes these headers. The position counts only if it agrees with the cause
of the letter, because a client can send any header.
"""

from hashlib import sha256
from typing import NamedTuple

from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header

MAX_DIGITS = 19
"""Decimal digits of the largest offset."""


class Original(NamedTuple):
    """The position of an original record, and the size and SHA-256 of its value."""

    partition: TopicPartition
    offset: int
    size: int
    sha256: str

    def __str__(self) -> str:
        """Return the position as `topic:partition:offset`."""
        return f"{self.partition}:{self.offset}"

    def matches(self, record: Record) -> bool:
        """Return whether a record is the original."""
        value = record.value or b""
        is_there = record.topic_partition == self.partition and record.offset == self.offset
        return is_there and sha256(value).hexdigest() == self.sha256


def read_original(record: Record) -> Original | None:
    """Return the original of a cut record; None if the record is whole, or the headers are not."""
    headers = dict(record.headers)
    position, size, digest = (
        (headers.get(name) or b"").decode(errors="replace")
        for name in (Header.ORIGINAL_POSITION, Header.ORIGINAL_SIZE, Header.ORIGINAL_SHA256)
    )
    partition, _, offset = position.rpartition(":")
    numbers = (partition.rpartition(":")[2], offset, size)
    if not all(one.isdecimal() and one.isascii() and len(one) <= MAX_DIGITS for one in numbers):
        return None
    return Original(TopicPartition.parse(partition), int(offset), int(size), digest)
