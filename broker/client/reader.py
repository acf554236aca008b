"""Readers of whole topics, without a consumer group: reports, tails, clients, the learner."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from time import monotonic
from typing import Literal, Self

import stamina
import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, reader_config
from modstream.broker.client.conversions import goes_on, kafka_offsets, read
from modstream.broker.errors import BrokerUnavailable, TopicMissing
from modstream.broker.wire.records import Offsets, Record, TopicPartition

SECONDS = 10.0
"""Bound of a question to the brokers."""
LINGER = 0.003
"""Seconds to wait for company once a first record has come."""
LOOK_EVERY = 5.0
"""Seconds between two looks for partitions that are heard no more."""
ANSWER = 1.0
"""Seconds that a broker has to answer such a look."""

Start = Literal["beginning", "end"] | Offsets


class Reader:
    """Reads all partitions of some topics from a given place onwards.

    `start` is "beginning", "end", or next offsets by partition (absent partitions begin at
    the beginning); with `only`, the other partitions are not read. With `committed` aborted and
    pending transactions are not seen. The client can lose a partition for good when its leader
    changes (docs/adr/0015); who has time to wait looks for that, and goes on with a new client.
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
        self._config = {
            **reader_config(connection, "modstream", committed=committed),
            "group.id": group,
        }
        self._consumer = Consumer(self._config)
        try:
            found = [p for topic in topics for p in self._partitions(topic)]
            partitions = found if only is None else [p for p in found if p in only]
            self._places = self._begin(partitions, start)
            self._consumer.assign(kafka_offsets(self._places))
        except KafkaException as error:
            raise connection.translated(error) from error
        self.partitions = tuple(partitions)
        self._unfinished = set(partitions)
        self._stood: Offsets = {}
        self._was_behind: set[TopicPartition] = set()
        self._look_at = monotonic() + LOOK_EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, timeout: float = 0.1, most: int = 1000) -> list[Record]:
        """Up to `most` records: whatever is there soon after the first, which is waited for."""
        try:
            messages = self._consumer.consume(1, timeout)
            if messages and most > 1:
                messages += self._consumer.consume(most - 1, min(LINGER, timeout))
        except KafkaException as error:
            raise self._connection.translated(error) from error
        records = []
        for message in messages:
            record, fault = read(message), message.error()
            if fault is None:
                self._unfinished.add(record.home)
                self._places[record.home] = record.offset + 1
                records.append(record)
            elif fault.code() == KafkaError._PARTITION_EOF:
                self._unfinished.discard(record.home)
                self._places[record.home] = record.offset
            else:
                raise self._connection.translated(KafkaException(fault))
        if len(messages) < most and monotonic() >= self._look_at:
            self._look()
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

    def _begin(self, partitions: list[TopicPartition], start: Start) -> dict[TopicPartition, int]:
        if start == "beginning":
            return dict.fromkeys(partitions, OFFSET_BEGINNING)
        if start == "end":
            # Resolved now: a logical end would be looked up later and skip what came between.
            return {p: self._end(p) for p in partitions}
        return {p: start.get(p, OFFSET_BEGINNING) for p in partitions}

    def _look(self) -> None:
        """Go on with a new client if a partition goes on and is not heard, look after look."""
        quiet = {h: place for h, place in self._places.items() if self._stood.get(h) == place}
        behind = self._behind(quiet)
        deaf = sorted(home for home in behind if home in self._was_behind)
        self._stood, self._was_behind = dict(self._places), behind
        self._look_at = monotonic() + LOOK_EVERY
        if deaf:
            structlog.get_logger(__name__).warning("heard no more", partitions=list(map(str, deaf)))
            self._consumer.close()
            self._consumer = Consumer(self._config)
            self._consumer.assign(kafka_offsets(self._places))
            self._was_behind = set()

    def _behind(self, places: Offsets) -> set[TopicPartition]:
        """The partitions that go on after these places; none if a broker is silent."""
        found = set()
        for home, place in places.items():
            try:
                if goes_on(self._consumer, home, place, ANSWER):
                    found.add(home)
            except KafkaException:
                return set()
        return found

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
    if not spans:
        return
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
