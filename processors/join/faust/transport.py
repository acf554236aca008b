"""Faust's aiokafka transport, corrected for topics that are written in transactions.

Differences from faust-streaming 0.15.3, and the reasons:

- Only committed records are read. Faust also reads aborted ones, unless it runs exactly-once.
- One Faust message holds a whole fetched chunk of a partition, not a single record.
- Offsets are committed, and inputs sought, to the durable positions that the table reports. Faust
  tracks acknowledged offsets and takes the record after a gap (an aborted record or a
  transaction marker) for a part of the gap, so it commits past records in flight, or never
  again. In addition, `Stream.take` acknowledges a batch whose agent has failed.
- A chunk carries the offset at which its fetch continued, so that the joiner notices a chunk that
  was dropped in a rebalance.
- No record is dropped as already read. Faust marks a record as read when it passes it on, which can
  be after a seek; earlier records are then taken for old ones.
- A fetch waits at most 100 ms instead of 1,500.
- A record whose header names are not UTF-8 comes without its headers, and what cannot be read at
  all comes as a record that says so (`record_batches.py`). aiokafka fetches such records for ever.

The classes override internals of one pinned version; tests/processors/join/test_join_real.py
fails without them.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.processors.join.faust.producer import Producer
from modstream.processors.join.faust.record_batches import REASON, FetchedBatches
from modstream.processors.join.ports import FetchedChunk

FETCH_WAIT_MS = 100


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the aiokafka consumer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._next_offsets: dict[TopicPartition, int] = {}

    def _create_worker_consumer(self, transport: "Transport") -> AIOKafkaConsumer:
        """Create the consumer as Faust does, and change two settings before it connects."""
        # Every Kafka client of this process reads records like this; there is only one.
        fetcher.MemoryRecords = FetchedBatches
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust has
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - no settings for these
        return consumer

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget the fetch positions of the previous assignment."""
        self._next_offsets.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, list[FetchedChunk]]:
        """Fetch one chunk per partition, except from paused partitions."""
        wanted = active_partitions - self.transport.paused
        if not wanted:
            # aiokafka takes an empty set of partitions for all partitions.
            await asyncio.sleep(FETCH_WAIT_MS / 1000)
            return {}
        fetched = await super()._fetch_records(consumer, wanted, timeout, max_records)
        return {tp: [self._chunk(tp, records)] for tp, records in fetched.items()}

    def _chunk(self, tp: TopicPartition, fetched: list[ConsumerRecord]) -> FetchedChunk:
        state, start = self._partition_state(tp), self._next_offsets.get(tp)
        end = fetched[-1].offset + 1 if state is None else int(state.position)
        self._next_offsets[tp] = end
        records = [
            Record(r.topic, r.partition, r.offset, r.key, r.value, tuple(r.headers), r.timestamp)
            for r in fetched
        ]
        for record in records:
            if record.value is None and (skipped := record.header(Header.SKIPPED)) is not None:
                self._report_skipped(record, skipped)
        return FetchedChunk(start, end, records)

    def _report_skipped(self, record: Record, skipped: bytes) -> None:
        structlog.get_logger(__name__).error(
            "offsets skipped",
            partition=str(record.topic_partition),
            offsets=skipped.decode(errors="replace"),
            cause=(record.header(REASON) or b"").decode(errors="replace"),
        )

    def topic_partitions(self, topic: str) -> int | None:
        """Return a topic's partition count; Faust's own answer is known to group leaders only."""
        partitions = self._ensure_consumer().partitions_for_topic(topic)
        return None if partitions is None else len(partitions)

    async def seek_to(self, positions: Mapping[TP, int], starts: Mapping[TP, int]) -> None:
        """Seek to these offsets in the consumer's own thread, without a fetch in between.

        The inputs in `starts` begin there: the first chunk fetched has no known predecessor.
        """
        await self.call_thread(self._seek_to, positions, starts)

    async def _seek_to(self, positions: Mapping[TP, int], starts: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in {**starts, **positions}.items():
            if tp in consumer.assignment():
                consumer.seek(driver.ensure_aiokafka_TP(tp), offset)
                self._next_offsets[tp] = offset
        for tp in starts.keys() - positions.keys():
            self._next_offsets.pop(tp, None)

    def reached_offset(self, tp: TopicPartition, processed: int) -> int:
        """Return the offset before which no record is left, if all before `processed` are done.

        Markers and aborted records that the fetch skipped count as reached, unless records fetched
        before them are still in flight.
        """
        state = self._partition_state(tp)
        if (
            state is None
            or not state.has_valid_position
            or self._next_offsets.get(tp, 0) > processed
        ):
            return processed
        return max(processed, int(state.position))

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        """Return the end of the committed records, as of the last fetch; None before it."""
        state = self._partition_state(tp)
        return None if state is None or state.lso is None else int(state.lso)

    def refusal(self) -> KafkaError | None:
        """Return the error by which Kafka keeps this member out of its group, if any.

        aiokafka waits until a fetch raises it, and without an assignment there is no fetch.
        """
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - see above
        return getattr(coordinator, "_pending_exception", None)

    def _partition_state(self, tp: TopicPartition) -> TopicPartitionState | None:
        # The public position() may wait for the broker; this is the local state.
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        assignment = None if subscription is None else subscription.assignment
        return assignment.state_value(tp) if assignment and tp in assignment.tps else None


class NeverReadOffsets(dict[TP, int | None]):
    """Faust's read offsets, which it can write, but always reads as None."""

    def __getitem__(self, _tp: TP) -> None:
        """Return None, so that no record counts as read before."""


class Consumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer that commits and seeks to the transport's durable positions."""

    _thread: ConsumerThread

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._read_offset = NeverReadOffsets()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, chunk: FetchedChunk) -> ConsumerMessage:
        """Wrap a whole chunk in one Faust message with the offset of its last record."""
        last = chunk.records[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, 0,
            (), None, chunk, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def perform_seek(self) -> None:
        """Seek to the durable positions, or else to the committed offsets.

        An input without either starts at its first record, even if records of it were fetched
        before: Faust would continue after those.
        """
        await super().perform_seek()
        positions = self.transport.positions()
        known = {tp for tp, offset in self._committed_offset.items() if offset} | positions.keys()
        starts = await self.earliest_offsets(*(tp for tp in self._inputs() if tp not in known))
        await self._thread.seek_to(positions, starts)
        self._read_offset.update(positions)

    def at_end(self, tp: TP) -> bool:
        """Return whether everything committed in this partition was fetched and processed."""
        end = self._thread.last_stable_offset(tp)
        return end is not None and self._reached_offset(tp) >= end

    async def lag(self) -> int:
        """Return the number of offsets in all inputs still to process; asks the broker.

        Raises:
            KafkaError: this member may not join its group, or the broker does not answer.
        """
        refusal = self._thread.refusal()
        if refusal is not None:
            raise refusal
        ends = await self.highwaters(*self._inputs())
        return sum(max(0, end - self._reached_offset(tp)) for tp, end in ends.items())

    def committed_offsets(self) -> dict[TP, int]:
        """Return the offsets that this member has committed, or started from."""
        return dict(self._committed_offset)

    def _inputs(self) -> list[TP]:
        return [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]

    def _reached_offset(self, tp: TP) -> int:
        return self._thread.reached_offset(tp, self.transport.positions().get(tp, 0))

    def _filter_tps_with_pending_acks(self, topics: object = None) -> Iterator[TP]:
        """Yield every input: commits do not depend on acknowledgements."""
        del topics
        return iter(self.transport.positions())

    def _new_offset(self, tp: TP) -> int | None:
        positions: Mapping[TP, int] = self.transport.positions()
        return positions.get(tp)


class Transport(driver.Transport):  # type: ignore[misc]
    """The corrected transport.

    Nothing is fetched from the partitions in `paused`. Faust's own way to pause a partition
    discards the records already fetched from it.
    """

    Consumer: ClassVar[type[Consumer]] = Consumer
    Producer: ClassVar[type[Producer]] = Producer

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.paused: set[TP] = set()
        self._read_positions: Callable[[], Mapping[TP, int]] = dict

    def set_position_source(self, read_positions: Callable[[], Mapping[TP, int]]) -> None:
        """Set the function that returns the durable position of each input."""
        self._read_positions = read_positions

    def positions(self) -> dict[TP, int]:
        """Return the offset up to which each input is durably processed."""
        return dict(self._read_positions())
