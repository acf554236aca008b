"""A broker in memory with the same ports: partitions, offsets, groups, transactions.

For tests of handlers and loops without a server. Values are the real codec's bytes, keys go to
the partitions they would go to in Kafka. One thread at a time; a group has one member.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from modstream.broker.errors import TransactionAborted
from modstream.broker.wire.partitioner import partition_of
from modstream.broker.wire.records import (
    Offsets,
    Outgoing,
    Record,
    TopicPartition,
    first_offsets,
    next_offsets,
)


@dataclass(slots=True)
class MemoryBroker:
    """Topics of `partitions` partitions each, created when first written to or read."""

    partitions: int = 4
    logs: dict[TopicPartition, list[Record]] = field(default_factory=dict)
    groups: dict[str, dict[TopicPartition, int]] = field(default_factory=lambda: defaultdict(dict))
    _clock: Iterator[int] = field(default_factory=lambda: count(1))

    def append(self, outgoing: Outgoing) -> Record:
        """Write one record at the end of its partition."""
        key = outgoing.key
        number = 0 if key is None else partition_of(key, self.partitions)
        log = self._log(TopicPartition(outgoing.topic, number))
        timestamp = next(self._clock) if outgoing.timestamp is None else outgoing.timestamp
        record = Record(
            outgoing.topic, number, len(log), key, outgoing.value, outgoing.headers, timestamp
        )
        log.append(record)
        return record

    def read(self, topic: str) -> list[Record]:
        """All records of a topic, partition by partition."""
        return [record for home in self.homes(topic) for record in self._log(home)]

    def homes(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic."""
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    def _log(self, home: TopicPartition) -> list[Record]:
        return self.logs.setdefault(home, [])


class MemoryConsumer:
    """A group's only member."""

    def __init__(
        self, broker: MemoryBroker, group: str, topics: Sequence[str], most: int = 5000
    ) -> None:
        self._broker = broker
        self._group = group
        self._most = most
        committed = broker.groups[group]
        homes = [home for topic in topics for home in broker.homes(topic)]
        self._positions = {home: committed.get(home, 0) for home in homes}

    def poll(self, most: int | None = None) -> list[Record]:
        """The next batch; nothing when all is read."""
        most = self._most if most is None else min(most, self._most)
        batch: list[Record] = []
        for home, position in self._positions.items():
            found = self._broker.logs.get(home, [])[position : position + most - len(batch)]
            batch.extend(found)
        self._positions.update(next_offsets(batch))
        return batch

    def keep_alive(self) -> None:
        """A member that is alone cannot be expelled."""

    def before_revoke(self, finish: Callable[[], None]) -> None:
        """A member that is alone gives nothing away."""

    def owns(self, batch: Iterable[Record]) -> bool:
        """Whether a batch comes from topics of this member."""
        return all(record.home in self._positions for record in batch)

    def rewind(self, batch: Sequence[Record]) -> None:
        """Hand the batch out again."""
        self._positions.update(first_offsets(batch))

    def commit(self, offsets: Offsets) -> None:
        """Keep the group's next offsets."""
        self._broker.groups[self._group].update(offsets)


class MemoryDelivery:
    """Answers and offsets together, at once; `refusals` makes coming deliveries fail first."""

    def __init__(self, broker: MemoryBroker, source: MemoryConsumer) -> None:
        self._broker = broker
        self._source = source
        self.refusals: deque[str] = deque()

    def __call__(self, outgoing: Iterable[Outgoing], batch: Sequence[Record]) -> None:
        """Deliver one batch, or abort it when a refusal is due."""
        if self.refusals:
            raise TransactionAborted(self.refusals.popleft())
        for record in outgoing:
            self._broker.append(record)
        self._source.commit(next_offsets(batch))

    def close(self) -> None:
        """Nothing is pending, ever."""
