"""A record as it lies in a topic, and one that is about to. Tuples, for the hot path."""

from collections.abc import Iterable, Mapping
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
        return next((value for key, value in reversed(self.headers) if key == name), None)


class Outgoing(NamedTuple):
    """A record to be produced; without a timestamp (ms, epoch) the client sets its own."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None


Offsets = Mapping[TopicPartition, int]


def first_offsets(records: Iterable[Record]) -> dict[TopicPartition, int]:
    """Where each partition of a batch begins: what a rewind seeks to."""
    first: dict[TopicPartition, int] = {}
    for record in records:
        first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    return first


def next_offsets(records: Iterable[Record]) -> dict[TopicPartition, int]:
    """One past the last record of each partition of a batch: what a commit carries."""
    return {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
