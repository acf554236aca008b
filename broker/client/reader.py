"""Readers of whole topics, without a consumer group: for reports, followers, clients, learners."""

from collections.abc import Callable, Collection, Iterator, Sequence
from time import monotonic
from typing import Literal, Self

import stamina
import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, reader_config
from modstream.broker.client.consumer_errors import RETRIED_ERRORS, UNUSED_GROUP
from modstream.broker.client.conversions import has_records_from, to_kafka_offsets, to_record
from modstream.broker.client.offset_skipper import UNREADABLE_ERRORS, OffsetSkipper
from modstream.broker.errors import BrokerUnavailable, RightMissing, TopicMissing
from modstream.broker.wire.records import OffsetRanges, Offsets, Record, TopicPartition

METADATA_TIMEOUT_S = 10.0
"""Timeout of a request for metadata, and of its retries."""
LINGER_S = 0.003
"""Time to wait for further records after a first one."""
STALL_CHECK_INTERVAL_S = 5.0
"""Interval between checks for stalled partitions."""
WATERMARK_TIMEOUT_S = 1.0
"""Timeout of one request of such a check."""

StartPosition = Literal["beginning", "end"] | Offsets


class Reader:
    """Reads all partitions of some topics from a given position onwards.

    `start` is "beginning", "end", or next offsets by partition; a partition without an offset
    starts at the beginning. With `only`, the other partitions are not read. With `committed`,
    records of aborted and open transactions are skipped. A `group` is needed for `commit` only; a
    reader without one needs no right to a group.

    The client can stop fetching a partition for good when its leader changes (docs/adr/0015). Idle
    readers check for such partitions and continue with a new client.

    Offsets that cannot be read are skipped, and logged.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        start: StartPosition = "beginning",
        *,
        committed: bool = True,
        group: str = "",
        only: Collection[TopicPartition] | None = None,
    ) -> None:
        self._connection = connection
        self._config = {
            **reader_config(connection, "modstream", committed=committed),
            **({"group.id": group} if group else {}),
        }
        self._ignored = RETRIED_ERRORS if group else RETRIED_ERRORS | UNUSED_GROUP
        self._consumer = Consumer(self._config)
        self._skipper = OffsetSkipper(connection)
        try:
            found = [p for topic in topics for p in self._partitions(topic)]
            partitions = found if only is None else [p for p in found if p in only]
            self._positions = self._start_offsets(partitions, start)
            self._consumer.assign(to_kafka_offsets(self._positions))
        except KafkaException as error:
            raise connection.translate(error) from error
        self.partitions = tuple(partitions)
        self.drained_polls = 0
        """Number of polls after which nothing was left to read."""
        self._unfinished = set(partitions)
        self._last_positions: Offsets = {}
        self._last_behind: set[TopicPartition] = set()
        self._next_check = monotonic() + STALL_CHECK_INTERVAL_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(
        self, timeout: float = 0.1, max_records: int = 1000, linger: float = LINGER_S
    ) -> list[Record]:
        """Return up to `max_records` records: a first one, and those that arrive shortly after it.

        Args:
            timeout: seconds to wait for the first record.
            max_records: the maximum number of records.
            linger: seconds to wait for further records, at most `timeout`.

        Raises:
            BrokerError: the client failed.
        """
        try:
            messages = self._consumer.consume(1, timeout)
            if messages and max_records > 1:
                messages += self._consumer.consume(max_records - 1, min(linger, timeout))
        except KafkaException as error:
            raise self._connection.translate(error) from error
        records = []
        unreadable: dict[TopicPartition, int] = {}
        for message in messages:
            record, event = to_record(message), message.error()
            if record.topic_partition in unreadable:
                continue  # Behind an unreadable batch, the client may read at a wrong place.
            if event is None:
                self._unfinished.add(record.topic_partition)
                self._positions[record.topic_partition] = record.offset + 1
                records.append(record)
            elif event.code() == KafkaError._PARTITION_EOF:
                self._unfinished.discard(record.topic_partition)
                self._positions[record.topic_partition] = record.offset
            elif event.code() in UNREADABLE_ERRORS:
                unreadable[record.topic_partition] = record.offset
            elif event.code() not in self._ignored:
                raise self._connection.translate(KafkaException(event))
        self._skip(unreadable)
        if len(messages) < max_records:
            self._note_drained()
        return records

    def at_end(self) -> bool:
        """Return whether every partition has been read to its last known end."""
        return not self._unfinished

    @property
    def positions(self) -> Offsets:
        """The next offset of each partition; negative for one that starts at its beginning."""
        return dict(self._positions)

    def commit(self, offsets: Offsets) -> None:
        """Commit next offsets to the reader's group, only to make its lag visible."""
        try:
            self._consumer.commit(offsets=to_kafka_offsets(offsets), asynchronous=True)
        except KafkaException as error:
            raise self._connection.translate(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def _note_drained(self) -> None:
        self.drained_polls += 1
        if monotonic() >= self._next_check:
            self._check_progress()

    def _skip(self, unreadable: Offsets) -> None:
        """Seek partitions behind the offsets that cannot be read."""
        for partition, offset in unreadable.items():
            self._unfinished.add(partition)
            if (skipped := self._skipper.find(partition, offset)) is not None:
                self._positions[partition] = skipped.next
            self._consumer.seek(KafkaPartition(*partition, self._positions[partition]))

    def _partitions(self, topic: str) -> list[TopicPartition]:
        metadata = self._consumer.list_topics(topic, timeout=METADATA_TIMEOUT_S).topics[topic]
        error = metadata.error
        if error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise RightMissing(f"to read the topic {topic}")
        if error is not None or not metadata.partitions:
            raise TopicMissing(topic)
        return [TopicPartition(topic, number) for number in sorted(metadata.partitions)]

    def _start_offsets(
        self, partitions: list[TopicPartition], start: StartPosition
    ) -> dict[TopicPartition, int]:
        if start == "beginning":
            return dict.fromkeys(partitions, OFFSET_BEGINNING)
        if start == "end":
            # OFFSET_END would be resolved later, and skip the records in between.
            return {p: self._end_offset(p) for p in partitions}
        return {p: start.get(p, OFFSET_BEGINNING) for p in partitions}

    def _check_progress(self) -> None:
        """Continue with a new client if a partition was behind without progress at two checks."""
        unchanged = {
            partition: position
            for partition, position in self._positions.items()
            if self._last_positions.get(partition) == position
        }
        behind = self._behind(unchanged)
        stalled = sorted(behind & self._last_behind)
        self._last_positions, self._last_behind = dict(self._positions), behind
        self._next_check = monotonic() + STALL_CHECK_INTERVAL_S
        if stalled:
            structlog.get_logger(__name__).warning(
                "partitions stalled", partitions=list(map(str, stalled))
            )
            self._consumer.close()
            self._consumer = Consumer(self._config)
            self._consumer.assign(to_kafka_offsets(self._positions))
            self._last_behind = set()

    def _behind(self, positions: Offsets) -> set[TopicPartition]:
        """Return the partitions with records from these positions; none if a leader is silent."""
        found = set()
        for partition, position in positions.items():
            try:
                if has_records_from(self._consumer, partition, position, WATERMARK_TIMEOUT_S):
                    found.add(partition)
            except KafkaException:
                return set()
        return found

    @stamina.retry(
        on=BrokerUnavailable,
        attempts=None,
        timeout=METADATA_TIMEOUT_S,
        wait_initial=0.02,
        wait_max=0.5,
    )
    def _end_offset(self, partition: TopicPartition) -> int:
        """Return the end offset of a partition; waits while its leader is being elected."""
        requested = KafkaPartition(*partition)
        try:
            _, end = self._consumer.get_watermark_offsets(requested, timeout=METADATA_TIMEOUT_S)
        except KafkaException as error:
            raise self._connection.translate(error) from error
        return int(end)


def read_to_end(
    connection: Connection, topics: Sequence[str], *, committed: bool = True
) -> Iterator[Record]:
    """Yield every record of some topics, from the beginning to their present ends."""
    with Reader(connection, topics, committed=committed) as reader:
        while not reader.at_end():
            yield from reader.poll(timeout=0.2)


def read_offset_ranges(
    connection: Connection,
    topic: str,
    ranges: OffsetRanges,
    on_poll: Callable[[], None] = lambda: None,
) -> Iterator[Record]:
    """Yield the records of some offset ranges of a topic, as far as they are retained.

    `on_poll` is called after each poll, several times a second even if no broker responds.
    """
    if not ranges:
        return
    stops = {partition: stop for partition, (_, stop) in ranges.items()}
    start = {partition: first for partition, (first, _) in ranges.items()}
    with Reader(connection, [topic], start, only=stops.keys()) as reader:
        while stops and not reader.at_end():
            for record in reader.poll(timeout=0.2):
                stop = stops.get(record.topic_partition, 0)
                if record.offset < stop:
                    yield record
                if record.offset >= stop - 1:
                    stops.pop(record.topic_partition, None)
            on_poll()
