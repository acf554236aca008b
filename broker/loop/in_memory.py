"""An in-memory broker with the ports of the loop: partitions, offsets, groups, transactions.

For tests of handlers and loops without a server. Values are the real codec's bytes, and keys are
partitioned as in Kafka. The broker is not thread-safe, and a group has only one member.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from modstream.broker.errors import TransactionAborted
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import (
    Offsets,
    ProducerRecord,
    Record,
    TopicPartition,
    first_offsets,
    next_offsets,
)


@dataclass(slots=True)
class MemoryBroker:
    """Topics of `partitions` partitions each, created when they are first written or read."""

    partitions: int = 4
    logs: dict[TopicPartition, list[Record]] = field(default_factory=dict)
    groups: dict[str, dict[TopicPartition, int]] = field(default_factory=lambda: defaultdict(dict))
    _clock: Iterator[int] = field(default_factory=lambda: count(1))

    def append(self, produced: ProducerRecord) -> Record:
        """Append one record to its partition and return it as stored."""
        key = produced.key
        number = 0 if key is None else partition_for_key(key, self.partitions)
        log = self._log(TopicPartition(produced.topic, number))
        timestamp = next(self._clock) if produced.timestamp is None else produced.timestamp
        record = Record(
            produced.topic, number, len(log), key, produced.value, produced.headers, timestamp
        )
        log.append(record)
        return record

    def read(self, topic: str) -> list[Record]:
        """Return all records of a topic, partition by partition."""
        return [
            record for partition in self.partitions_of(topic) for record in self._log(partition)
        ]

    def partitions_of(self, topic: str) -> list[TopicPartition]:
        """Return the partitions of a topic."""
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    def _log(self, partition: TopicPartition) -> list[Record]:
        return self.logs.setdefault(partition, [])


class MemoryConsumer:
    """The only member of a consumer group."""

    def __init__(
        self, broker: MemoryBroker, group: str, topics: Sequence[str], max_records: int = 5000
    ) -> None:
        self._broker = broker
        self._group = group
        self._max_records = max_records
        committed = broker.groups[group]
        partitions = [partition for topic in topics for partition in broker.partitions_of(topic)]
        self._positions = {partition: committed.get(partition, 0) for partition in partitions}

    def poll(self, max_records: int | None = None) -> list[Record]:
        """Return the next batch; empty if all records have been polled."""
        limit = self._max_records if max_records is None else min(max_records, self._max_records)
        batch: list[Record] = []
        for partition, position in self._positions.items():
            log = self._broker.logs.get(partition, [])
            batch.extend(log[position : position + limit - len(batch)])
        self._positions.update(next_offsets(batch))
        return batch

    def keep_alive(self) -> None:
        """Do nothing: the only member cannot be expelled."""

    def before_revoke(self, finish: Callable[[], None]) -> None:
        """Do nothing: the only member never gives up partitions."""

    def owns(self, batch: Iterable[Record]) -> bool:
        """Return whether a batch comes from this member's topics."""
        return all(record.topic_partition in self._positions for record in batch)

    def rewind(self, batch: Sequence[Record]) -> None:
        """Seek back, so that the batch is polled again."""
        self._positions.update(first_offsets(batch))

    def commit(self, offsets: Offsets) -> None:
        """Commit the group's next offsets."""
        self._broker.groups[self._group].update(offsets)


class MemoryDelivery:
    """Delivers records and offsets together.

    Each reason in `failures` makes one of the next deliveries fail.
    """

    def __init__(self, broker: MemoryBroker, source: MemoryConsumer) -> None:
        self._broker = broker
        self._source = source
        self.failures: deque[str] = deque()

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Deliver one batch.

        Raises:
            TransactionAborted: a failure is due; its reason is removed from `failures`.
        """
        if self.failures:
            raise TransactionAborted(self.failures.popleft())
        for record in records:
            self._broker.append(record)
        self._source.commit(next_offsets(batch))

    def close(self) -> None:
        """Do nothing: no record is ever pending."""
