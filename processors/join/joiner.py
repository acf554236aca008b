"""The joiner: the partitions it owns, and the order in which its results become durable."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from time import monotonic, time_ns
from uuid import uuid4

from modstream.broker.errors import InternalError
from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import ProducerRecord, Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.processors.join.entry_store import EntryStore
from modstream.processors.join.metrics import join_metrics
from modstream.processors.join.partition import JoinOutput, PartitionJoin
from modstream.processors.join.ports import (
    FetchedChunk,
    JoinedBatch,
    JoinerIO,
    OnJoined,
    Protection,
    ignore_joined,
)
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.join.waiting import WaitingLabels, WaitingLabelsMonitor

MetricsKey = tuple[str, str | None, int | None]
OpenStore = Callable[[int], EntryStore]
"""Opens the store of a partition, by its number."""


class Joiner:
    """Joins the partitions that this process owns, from a recovery to the next suspension.

    The order in which a batch becomes durable:
      1. join it in memory
      2. publish its output, and wait for the acknowledgements
      3. write its changelog rows, and wait
      4. let the store keep the changes, with the offset of the changelog rows
      5. advance `durable_positions`, to which the consumer commits and seeks
    A crash between 2 and 3 repeats outputs and never loses one. After a crash between 3 and 4, the
    rows are read from the changelog. A failure ends the process, so that the state in memory is
    never ahead of the changelog, and the store never has what the changelog has not.

    With `protection`, a record over which processes die is set aside. `on_joined` is called with
    each batch after step 4. `open_store` opens the store of a partition, by default in memory.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and observers that have defaults
        self,
        topics: Topics,
        settings: JoinerSettings,
        changelog: str,
        io: JoinerIO,
        protection: Protection | None = None,
        on_joined: OnJoined = ignore_joined,
        *,
        open_store: OpenStore | None = None,
    ) -> None:
        self.partitions: dict[int, PartitionJoin] = {}
        self.restored_rows = 0
        self.waiting_labels: WaitingLabels | None = None
        self._topics = topics
        self._settings = settings
        self._changelog = changelog
        self._io = io
        self._on_joined = on_joined
        self._open_store = open_store
        self._positions: dict[TopicPartition, int] = {}
        self._idle_ms = int(settings.timer_interval_seconds * 1000 * settings.idle_rate)
        self._lock = asyncio.Lock()
        self._assignments: Counter[int] = Counter()
        self._guards: dict[str, CrashGuard] = {}
        self._record_limits = RecordLimits()
        if protection is not None:
            self._record_limits = protection.limits
            for topic in (topics.predictions, topics.labels):
                self._guards[topic] = CrashGuard(protection.journal, topic, self._assignment_epoch)
        self._is_active = False
        self._last_input_at: dict[TopicPartition, float] = {}
        self._published: dict[MetricsKey, Metrics] = {}
        self._monitor = WaitingLabelsMonitor()

    @property
    def is_active(self) -> bool:
        """Whether the partitions are restored, and their records are joined."""
        return self._is_active

    def size_on_disk(self) -> int:
        """Return the bytes of all partitions' state on disk."""
        return sum(one.store.size_on_disk() for one in self.partitions.values())

    def close(self) -> None:
        """Close the stores of all partitions, and forget these."""
        self._is_active = False
        self.assign(())

    def durable_positions(self) -> dict[TopicPartition, int]:
        """Return, for each input, the next offset that is not covered by the changelog."""
        return dict(self._positions)

    async def suspend(self) -> None:
        """Finish the current batch and process no further one until `resume`."""
        async with self._lock:
            self._is_active = False

    def assign(self, partitions: Collection[int]) -> None:
        """Keep the state of these partitions, and create state to restore; drop all others.

        Raises:
            StateUnusable: a store cannot be opened.
        """
        self._positions = {}
        for number in self.partitions.keys() - partitions:
            self.partitions.pop(number).store.close()
        for number in partitions - self.partitions.keys():
            settings = self._settings
            self._assignments[number] += 1
            self.partitions[number] = PartitionJoin(
                self._topics,
                settings.horizon_ms,
                settings.out_of_orderness_ms,
                settings.limits,
                self._record_limits,
                number=number,
                partitions=settings.partitions if settings.forward_labels else 1,
                entries=self._open_store(number) if self._open_store else None,
            )

    def restore(self, number: int, rows: Sequence[Record]) -> None:
        """Restore changelog rows of one partition.

        Raises:
            StateUnusable: the store cannot be written, or belongs to another changelog.
        """
        self.restored_rows += len(rows)
        if partition := self.partitions.get(number):
            partition.restore_rows(rows)

    def resume(self) -> None:
        """Start processing at the input positions in the restored state."""
        self._last_input_at.clear()
        for number, partition in self.partitions.items():
            partition.state.table_id = partition.state.table_id or uuid4().hex
            self._update_positions(number)
            self._align_inputs(number)
        self._is_active = True

    async def process(self, tp: TopicPartition, chunk: FetchedChunk) -> None:
        """Join the next records of one input.

        A chunk that starts after the current position is ignored: the records in between were
        dropped in a rebalance, and will be fetched again.
        """
        async with self._lock:
            position = self._positions.get(tp, -1)
            is_contiguous = chunk.start is None or chunk.start <= position
            if self._is_active and is_contiguous and tp.partition in self.partitions:
                self._last_input_at[tp] = monotonic()
                started = time_ns()
                output = self._join(tp, chunk)
                await self._store(tp.partition, output)
                self._on_joined(JoinedBatch(chunk.records, output.records, started))
                self._align_inputs(tp.partition)

    async def advance_time(self) -> None:
        """Advance event time in every partition, and publish the metrics that changed.

        Afterwards, `waiting_labels` are the labels that have waited too long, or None.
        """
        async with self._lock:
            for number, partition in self.partitions.items() if self._is_active else ():
                idle_inputs = self._idle_inputs(number)
                output = partition.advance_time(idle_inputs, self._idle_ms, tell=True)
                if output.records or len(output.changelog_rows) > 1:
                    await self._store(number, output)
                else:
                    partition.store.confirm()
                self._align_inputs(number)
            if self._is_active:
                finished = [n for n in self.partitions if self._has_read_predictions(n)]
                self.waiting_labels = self._monitor.find(self.partitions, finished, monotonic())
            if self._is_active and self._positions:
                await self._publish_metrics()

    def _join(self, tp: TopicPartition, chunk: FetchedChunk) -> JoinOutput:
        """Join the records of a chunk; those that no process survives are set aside."""
        partition, guard = self.partitions[tp.partition], self._guards.get(tp.topic)
        if guard is None or not chunk.records:
            return partition.process(tp.topic, chunk.end, chunk.records)

        def join(records: Sequence[Record]) -> JoinOutput:
            return partition.process(tp.topic, records[-1].offset + 1, records)

        def set_aside(record: Record, cause: InternalError) -> JoinOutput:
            return partition.set_aside(tp.topic, record, cause)

        outputs = guard.run(join, chunk.records, set_aside)
        # The position behind the last record, and behind markers that follow it.
        outputs.append(partition.process(tp.topic, chunk.end, ()))
        return JoinOutput(
            [record for output in outputs for record in output.records],
            list(dict(row for output in outputs for row in output.changelog_rows).items()),
        )

    def _assignment_epoch(self, tp: TopicPartition) -> int:
        """Return how often a partition was assigned to this process."""
        return self._assignments[tp.partition]

    async def _store(self, number: int, output: JoinOutput) -> None:
        store = self.partitions[number].store
        sent: dict[TopicPartition, list[ProducerRecord]] = {}
        for record in output.records:
            topic, home = record.topic, number
            if topic == self._topics.labels:  # A copy for the partition of its prediction.
                home = partition_for_key(record.key or b"", self._settings.partitions)
            sent.setdefault(TopicPartition(topic, home), []).append(record)
        await asyncio.gather(*(self._send(tp, records) for tp, records in sent.items()))
        written = await self._io.send_rows(self._changelog, number, output.changelog_rows)
        store.commit(output.changelog_rows, written)
        self._update_positions(number)

    async def _send(self, tp: TopicPartition, records: Sequence[ProducerRecord]) -> None:
        if tp.topic in {self._topics.labels, self._topics.dlq} or any(
            record.headers for record in records
        ):
            await self._io.send_records(*tp, records)
        else:
            await self._io.send_rows(*tp, [(record.key, record.value) for record in records])

    def _update_positions(self, number: int) -> None:
        for topic, progress in self.partitions[number].state.inputs.items():
            if progress.position is not None:
                self._positions[TopicPartition(topic, number)] = progress.position

    def _align_inputs(self, number: int) -> None:
        """Pause an input that is ahead in event time while the other one has more records.

        This bounds the memory needed for a long backlog to that of one horizon (Flink calls it
        watermark alignment).
        """
        predictions, labels = self._input_partitions(number)
        for tp, other in ((predictions, labels), (labels, predictions)):
            is_ahead = self.partitions[number].is_ahead(tp.topic)
            self._io.set_paused(tp, is_paused=is_ahead and not self._io.at_end(other))

    def _input_partitions(self, number: int) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in self.partitions[number].state.inputs]

    def _has_read_predictions(self, number: int) -> bool:
        return self._io.at_end(TopicPartition(self._topics.predictions, number))

    def _idle_inputs(self, number: int) -> list[str]:
        """Return the topics that were read to their end for at least `idle_seconds`."""
        now = monotonic()
        return [
            tp.topic
            for tp in self._input_partitions(number)
            if now - self._last_input_at.setdefault(tp, now) >= self._settings.idle_seconds
            and self._io.at_end(tp)
        ]

    async def _publish_metrics(self) -> None:
        """Publish the metrics that changed; the counters also whenever positions moved."""
        current: dict[MetricsKey, Metrics] = {
            (metrics.kind, metrics.model, metrics.version): metrics
            for metrics in join_metrics(self.partitions.values(), self._positions)
        }
        changed = [
            metrics
            for key, metrics in current.items()
            if _has_changed(metrics, self._published.get(key))
        ]
        if changed:
            rows = [(metrics.kind.encode(), encode(metrics)) for metrics in changed]
            await self._io.send_rows(self._topics.metrics, 0, rows)
        self._published = current


def _has_changed(metrics: Metrics, published: Metrics | None) -> bool:
    if published is None or metrics.kind == "joiner":
        return metrics != published
    return metrics.values != published.values
