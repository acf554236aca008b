"""Readers of whole topics, without a consumer group: reports, tails, clients, the learner."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, Self

import stamina
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from broker.connection import Connection, reader_config
from broker.consumer import kafka_offsets, read
from broker.errors import BrokerUnavailable, TopicMissing
from broker.records import Offsets, Record, TopicPartition

SECONDS = 10.0
"""Bound of a question to the brokers."""
LINGER = 0.003
"""Seconds to wait for company once a first record has come."""

Start = Literal["beginning", "end"] | Offsets


class Reader:
    """Reads all partitions of some topics from a given place onwards.

    `start` is "beginning", "end", or next offsets by partition (absent partitions begin at
    the beginning); with `only`, the other partitions are not read. With `committed` aborted and
    pending transactions are not seen.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        start: Start = "beginning",
        *,
        committed: bool = True,
        group: str = "modstream",
        only: Collection[TopicPartition] | None = None,
    ) -> None:
        self._connection = connection
        self._consumer = Consumer(
            {**reader_config(connection, "modstream", committed=committed), "group.id": group}
        )
        self._unfinished: set[TopicPartition] = set()
        try:
            found = [p for topic in topics for p in self._partitions(topic)]
            partitions = found if only is None else [p for p in found if p in only]
            self._consumer.assign(self._placed(partitions, start))
        except KafkaException as error:
            raise connection.translated(error) from error
        self.partitions = tuple(partitions)
        self._unfinished.update(partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, timeout: float = 0.1, most: int = 1000) -> list[Record]:
        """Up to `most` records: whatever is there soon after the first, which is waited for."""
        try:
            messages = self._consumer.consume(1, timeout)
            if messages and most > 1:
                messages += self._consumer.consume(most - 1, LINGER)
        except KafkaException as error:
            raise self._connection.translated(error) from error
        records = []
        for message in messages:
            record, fault = read(message), message.error()
            if fault is None:
                self._unfinished.add(record.home)
                records.append(record)
            elif fault.code() == KafkaError._PARTITION_EOF:
                self._unfinished.discard(record.home)
            else:
                raise self._connection.translated(KafkaException(fault))
        return records

    def at_end(self) -> bool:
        """Whether every partition has been read to where it ended when last looked at."""
        return not self._unfinished

    def commit(self, offsets: Offsets) -> None:
        """Note next offsets in the reader's group, so that its lag can be seen by others."""
        try:
            self._consumer.commit(offsets=kafka_offsets(offsets), asynchronous=True)
        except KafkaException as error:
            raise self._connection.translated(error) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _partitions(self, topic: str) -> list[TopicPartition]:
        metadata = self._consumer.list_topics(topic, timeout=SECONDS).topics[topic]
        if metadata.error is not None or not metadata.partitions:
            raise TopicMissing(topic)
        return [TopicPartition(topic, number) for number in sorted(metadata.partitions)]

    def _placed(self, partitions: list[TopicPartition], start: Start) -> list[KafkaPartition]:
        if start == "beginning":
            places = dict.fromkeys(partitions, OFFSET_BEGINNING)
        elif start == "end":
            # Resolved now: a logical end would be looked up later and skip what came between.
            places = {p: self._end(p) for p in partitions}
        else:
            places = {p: start.get(p, OFFSET_BEGINNING) for p in partitions}
        return kafka_offsets(places)

    @stamina.retry(
        on=BrokerUnavailable, attempts=None, timeout=SECONDS, wait_initial=0.02, wait_max=0.5
    )
    def _end(self, home: TopicPartition) -> int:
        """Where a partition ends now; a leader that is just moving is waited for."""
        partition = KafkaPartition(home.topic, home.partition)
        try:
            return int(self._consumer.get_watermark_offsets(partition, timeout=SECONDS)[1])
        except KafkaException as error:
            raise self._connection.translated(error) from error


def read_to_end(
    connection: Connection, topics: Sequence[str], *, committed: bool = True
) -> Iterator[Record]:
    """Every record of some topics, from the beginning to where they end now."""
    with Reader(connection, topics, committed=committed) as reader:
        while not reader.at_end():
            yield from reader.poll(timeout=0.2)


def read_spans(
    connection: Connection, topic: str, spans: Mapping[TopicPartition, tuple[int, int]]
) -> Iterator[Record]:
    """The records of some partitions from a first offset up to before another, as far as kept."""
    ends = {home: stop for home, (_, stop) in spans.items()}
    start = {home: first for home, (first, _) in spans.items()}
    with Reader(connection, [topic], start, only=ends.keys()) as reader:
        while ends and not reader.at_end():
            for record in reader.poll(timeout=0.2):
                stop = ends.get(record.home, 0)
                if record.offset < stop:
                    yield record
                if record.offset >= stop - 1:
                    ends.pop(record.home, None)
