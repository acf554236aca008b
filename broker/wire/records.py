"""A record as it lies in a topic, and one that is about to. Tuples, for the hot path."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """`topic:partition`, the form in which model cards and metrics name it."""
        return f"{self.topic}:{self.partition}"

    @classmethod
    def parse(cls, text: str) -> "TopicPartition":
        """Read the `topic:partition` form back."""
        topic, _, partition = text.rpartition(":")
        return cls(topic, int(partition))


class Record(NamedTuple):
    """A record that was read: where it lies, what it carries, when it was made (ms, epoch)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 0

    @property
    def home(self) -> TopicPartition:
        """The partition it lies in."""
        return TopicPartition(self.topic, self.partition)

    @property
    def place(self) -> str:
        """Where exactly it lies, as `topic:partition:offset`."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    def header(self, name: str) -> bytes | None:
        """The last header of that name, as Kafka's own clients read them."""
        return dict(self.headers).get(name)


class Outgoing(NamedTuple):
    """A record to be produced; without a timestamp (ms, epoch) the client sets its own."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None


Offsets = Mapping[TopicPartition, int]


HOME = itemgetter(0, 1)
"""A record's topic and partition, which compare like a TopicPartition."""
OFFSET = itemgetter(2)

# A NamedTuple's own constructor runs in Python, five times as long as this.
record_of = partial(tuple.__new__, Record)
"""A Record of the tuple of all its fields."""
outgoing_of = partial(tuple.__new__, Outgoing)
"""An Outgoing of the tuple of all its fields."""


def first_offsets(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """Where each partition of a batch begins: what a rewind seeks to."""
    first = dict(zip(map(HOME, reversed(records)), map(OFFSET, reversed(records)), strict=True))
    return {TopicPartition(*home): offset for home, offset in first.items()}


def next_offsets(records: Iterable[Record]) -> dict[TopicPartition, int]:
    """One past the last record of each partition of a batch: what a commit carries."""
    last = {record[:2]: record[2] for record in records}
    return {TopicPartition(*home): offset + 1 for home, offset in last.items()}
