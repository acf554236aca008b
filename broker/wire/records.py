"""Consumed records, records to produce, and offsets. Records are tuples, for the hot path."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from modstream.broker.wire.topics import Header

Headers = tuple[tuple[str, bytes | None], ...]

ILLEGIBLE_HEADERS: Headers = ((Header.ILLEGIBLE.value, b""),)
"""The headers of a record whose headers are illegible."""


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Return `topic:partition`, the form used in model cards and metrics."""
        return f"{self.topic}:{self.partition}"

    @classmethod
    def parse(cls, text: str) -> "TopicPartition":
        """Parse the `topic:partition` form."""
        topic, _, partition = text.rpartition(":")
        return cls(topic, int(partition))


class Record(NamedTuple):
    """A consumed record; its timestamp is in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 0

    @property
    def topic_partition(self) -> TopicPartition:
        """The record's partition."""
        return TopicPartition(self.topic, self.partition)

    @property
    def position(self) -> str:
        """The record's position as `topic:partition:offset`."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    def header(self, name: str) -> bytes | None:
        """Return the value of the last header of that name, like Kafka's Java client, or None."""
        return dict(self.headers).get(name)


class ProducerRecord(NamedTuple):
    """A record to produce. Without a timestamp (ms since the epoch), the client sets one."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None


Offsets = Mapping[TopicPartition, int]
"""An offset for each partition."""
OffsetRanges = Mapping[TopicPartition, tuple[int, int]]
"""For each partition, the first offset and the offset to stop before."""

TOPIC_PARTITION = itemgetter(0, 1)
"""Returns a record's topic and partition as a tuple that equals its TopicPartition."""
PARTITION = itemgetter(1)
"""Returns the number of a record's partition."""
OFFSET = itemgetter(2)
"""Returns a record's offset."""

# The constructor of a NamedTuple is written in Python and takes five times as long.
record_of = partial(tuple.__new__, Record)
"""Builds a Record from a tuple of all its fields."""
producer_record_of = partial(tuple.__new__, ProducerRecord)
"""Builds a ProducerRecord from a tuple of all its fields."""


def first_offsets(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """Return the first offset of each partition of a batch: the offsets that a rewind seeks to."""
    first = dict(
        zip(map(TOPIC_PARTITION, reversed(records)), map(OFFSET, reversed(records)), strict=True)
    )
    return {TopicPartition(*partition): offset for partition, offset in first.items()}


def last_offsets_of_topic(records: Sequence[Record]) -> dict[int, int]:
    """Return the last offset of each partition of a batch of one topic, by the partition's number.

    Numbers as keys take half of the time that pairs of a topic and a number take.
    """
    return dict(zip(map(PARTITION, records), map(OFFSET, records), strict=True))


def first_offsets_of_topic(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """Return the first offset of each partition of a batch of one topic."""
    return {
        TopicPartition(records[0][0], number): offset
        for number, offset in last_offsets_of_topic(records[::-1]).items()
    }


def next_offsets(records: Iterable[Record]) -> dict[TopicPartition, int]:
    """Return the offset after the last record of each partition: the offsets to commit."""
    last = {record[:2]: record[2] for record in records}
    return {TopicPartition(*partition): offset + 1 for partition, offset in last.items()}


def response_key(record: Record, request_id: str) -> bytes:
    """Return a response's key: the request's key, or its id if the request has no key.

    With the same key, request and response are in partitions of the same number.
    """
    return request_id.encode() if record.key is None else record.key
