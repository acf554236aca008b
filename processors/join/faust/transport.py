"""Faust's aiokafka transport, mended for topics that are written by transactions.

What differs from faust-streaming 0.15.3, and why:

- It reads committed records only. Faust reads aborted ones too, unless it runs exactly-once.
- It hands on whole chunks: one message of Faust per fetched chunk of a partition, not per record.
- Offsets are committed, and inputs rewound, to `positions`: how far the table itself says that
  each input was read. Faust tracks acknowledged offsets and takes the record that ends a gap
  (an aborted record, a transaction's marker) for a part of the gap, so it commits past records
  in flight, or never again; and `Stream.take` acknowledges a batch whose agent has failed.
- A chunk tells where reading went on, so that one that was dropped in a rebalance is noticed.
- Nothing is dropped for having been read before. Faust notes a record as read when it has handed
  it on, which can be after a rewind; the ones before it are then taken for old.
- A fetch waits 100 ms at most, not 1,500.

Overrides internals of one pinned version; tests/processors/join/test_join_real.py fails without
them.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from modstream.broker.wire.records import Record
from modstream.processors.join.joiner import Chunk

FETCH_WAIT_MS = 100
SEND_BYTES = 900_000
"""Rows sent as one Kafka record batch, under every broker's default limit of 1 MB a batch."""


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the aiokafka consumer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._read_to: dict[TopicPartition, int] = {}

    def _create_worker_consumer(self, transport: "Transport") -> AIOKafkaConsumer:
        """The consumer as Faust makes it, before it has connected, with two settings changed."""
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust has no setting
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - for either
        return consumer

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget where the former assignment was read to."""
        self._read_to.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, list[Chunk]]:
        """Fetched records as one chunk a partition, but none of those that are held back."""
        wanted = active_partitions - self.transport.held
        if not wanted:
            # To aiokafka no partition means every partition.
            await asyncio.sleep(FETCH_WAIT_MS / 1000)
            return {}
        fetched = await super()._fetch_records(consumer, wanted, timeout, max_records)
        return {tp: [self._chunk(tp, records)] for tp, records in fetched.items()}

    def _chunk(self, tp: TopicPartition, fetched: list[ConsumerRecord]) -> Chunk:
        state, start = self._state(tp), self._read_to.get(tp)
        end = fetched[-1].offset + 1 if state is None else int(state.position)
        self._read_to[tp] = end
        records = [
            Record(r.topic, r.partition, r.offset, r.key, r.value, r.headers, r.timestamp)
            for r in fetched
        ]
        return Chunk(start, end, records)

    def topic_partitions(self, topic: str) -> int | None:
        """How many partitions a topic has; Faust asks a snapshot that only group leaders take."""
        partitions = self._ensure_consumer().partitions_for_topic(topic)
        return None if partitions is None else len(partitions)

    async def rewind(self, positions: Mapping[TP, int], starts: Mapping[TP, int]) -> None:
        """Go on reading at these offsets; in the consumer's own thread, at one stroke.

        At `starts` an input begins: what is read there first connects with nothing.
        """
        await self.call_thread(self._rewind, positions, starts)

    async def _rewind(self, positions: Mapping[TP, int], starts: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in {**starts, **positions}.items():
            if tp in consumer.assignment():
                consumer.seek(driver.ensure_aiokafka_TP(tp), offset)
                self._read_to[tp] = offset
        for tp in starts.keys() - positions.keys():
            self._read_to.pop(tp, None)

    def reached(self, tp: TopicPartition, taken: int) -> int:
        """Up to where nothing is left to take, if everything before `taken` has been.

        Markers and aborted records that have been passed over are counted as reached, unless
        records fetched before them are still on their way.
        """
        state = self._state(tp)
        if state is None or not state.has_valid_position or self._read_to.get(tp, 0) > taken:
            return taken
        return max(taken, int(state.position))

    def end(self, tp: TopicPartition) -> int | None:
        """The end of what is committed, as the last fetch told it."""
        state = self._state(tp)
        return None if state is None or state.lso is None else int(state.lso)

    def _state(self, tp: TopicPartition) -> TopicPartitionState | None:
        # The public position() may wait for the broker; this is what is known now.
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        assignment = None if subscription is None else subscription.assignment
        return assignment.state_value(tp) if assignment and tp in assignment.tps else None


class Untold(dict[TP, int | None]):
    """How far Faust has read, which it may write and never read."""

    def __getitem__(self, _tp: TP) -> None:
        """Nothing: so no record counts as read before."""


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, which commits and rewinds to the transport's positions."""

    _thread: ConsumerThread

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._read_offset = Untold()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, chunk: Chunk) -> ConsumerMessage:
        """One message of Faust for a whole chunk; its offset is that of the last record."""
        last = chunk.records[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, 0,
            (), None, chunk, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def perform_seek(self) -> None:
        """Go on where the table says that its inputs were read to, else at the commit.

        An input of which nothing was taken begins at its first record, whatever was fetched of it
        before: Faust would go on behind that.
        """
        await super().perform_seek()
        positions = dict(self.transport.positions)
        known = {tp for tp, offset in self._committed_offset.items() if offset} | positions.keys()
        starts = await self.earliest_offsets(*(tp for tp in self._inputs() if tp not in known))
        await self._thread.rewind(positions, starts)
        self._read_offset.update(positions)

    def at_end(self, tp: TP) -> bool:
        """Whether everything committed in this partition has been fetched and taken."""
        end = self._thread.end(tp)
        return end is not None and self._reached(tp) >= end

    async def lag(self) -> int:
        """Offsets of all inputs, asked of the broker, that are still to be taken."""
        ends = await self.highwaters(*self._inputs())
        return sum(max(0, end - self._reached(tp)) for tp, end in ends.items())

    def committed_now(self) -> dict[TP, int]:
        """The offsets that this member has committed or begun at."""
        return dict(self._committed_offset)

    def _inputs(self) -> list[TP]:
        return [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]

    def _reached(self, tp: TP) -> int:
        return self._thread.reached(tp, self.transport.positions.get(tp, 0))

    def _filter_tps_with_pending_acks(self, topics: object = None) -> Iterator[TP]:
        """Every input may be committed, acknowledged or not."""
        del topics
        return iter(tuple(self.transport.positions))

    def _new_offset(self, tp: TP) -> int | None:
        positions: Mapping[TP, int] = self.transport.positions
        return positions.get(tp)


class Producer(driver.Producer):  # type: ignore[misc]
    """Faust's producer, idempotent, which also sends many rows at once."""

    def _settings_extra(self) -> Mapping[str, object]:
        return {"acks": "all", "enable_idempotence": True}

    async def send_rows(
        self, topic: str, partition: int, rows: Iterable[tuple[bytes | None, bytes | None]]
    ) -> None:
        """Send rows to one partition and wait until they are acknowledged.

        Up to SEND_BYTES of them are one record batch, which the broker appends whole or not at
        all.
        """
        producer = self._ensure_producer()
        sent: list[asyncio.Future[object]] = []
        batch = producer.create_batch()
        for key, value in rows:
            if batch.append(timestamp=None, key=key, value=value) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        batch.close()
        sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)


class Transport(driver.Transport):  # type: ignore[misc]
    """The mended transport, and what it is told.

    `positions` says how far each input was taken, durably; nothing is taken from those `held`.
    Faust's own way to pause a partition forgets what was fetched from it.
    """

    Consumer: ClassVar[type[Consumer]] = Consumer
    Producer: ClassVar[type[Producer]] = Producer

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.positions: Mapping[TP, int] = {}
        self.held: set[TP] = set()
