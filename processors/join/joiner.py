"""The joiner: the partitions it owns, and the order in which its results become durable."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from time import monotonic
from typing import NamedTuple, Protocol

from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.processors.join.metrics import join_metrics
from modstream.processors.join.partition import JoinOutput, PartitionJoin
from modstream.processors.join.settings import JoinerSettings

KeyValue = tuple[bytes | None, bytes | None]
MetricsKey = tuple[str, str | None, int | None]


class FetchedChunk(NamedTuple):
    """Consecutive committed records of one partition.

    `start` is the offset at which the fetch continued, None if unknown; `end` is the next offset
    to fetch. The offsets between them without a record are markers and aborted records.
    """

    start: int | None
    end: int
    records: Sequence[Record]


class JoinerIO(Protocol):
    """The Kafka operations that the joiner needs."""

    async def send_rows(self, topic: str, partition: int, rows: Iterable[KeyValue]) -> None:
        """Send rows to one partition and wait until they are acknowledged."""

    def at_end(self, tp: TopicPartition) -> bool:
        """Return whether everything committed in this partition was fetched and processed."""

    def set_paused(self, tp: TopicPartition, *, is_paused: bool) -> None:
        """Pause fetching from this partition, or resume it."""


class Joiner:
    """Joins the partitions that this process owns, from a recovery to the next suspension.

    The order in which a batch becomes durable:
      1. join it in memory
      2. publish its output, and wait for the acknowledgements
      3. write its changelog rows, and wait
      4. advance `durable_positions`, to which the consumer commits and seeks
    A crash between 2 and 3 repeats outputs and never loses one. A failure ends the process, so
    that the state in memory is never ahead of the changelog.
    """

    def __init__(
        self, topics: Topics, settings: JoinerSettings, changelog: str, io: JoinerIO
    ) -> None:
        self.partitions: dict[int, PartitionJoin] = {}
        self.restored_rows = 0
        self._topics = topics
        self._settings = settings
        self._changelog = changelog
        self._io = io
        self._positions: dict[TopicPartition, int] = {}
        self._idle_ms = int(settings.timer_interval_seconds * 1000 * settings.idle_rate)
        self._lock = asyncio.Lock()
        self._is_active = False
        self._last_input_at: dict[TopicPartition, float] = {}
        self._published: dict[MetricsKey, Metrics] = {}

    def durable_positions(self) -> dict[TopicPartition, int]:
        """Return, for each input, the next offset that is not covered by the changelog."""
        return dict(self._positions)

    async def suspend(self) -> None:
        """Finish the current batch and process no further one until `resume`."""
        async with self._lock:
            self._is_active = False

    def assign(self, partitions: Collection[int]) -> None:
        """Keep the state of these partitions, and create state to restore; drop all others."""
        self._positions = {}
        for number in self.partitions.keys() - partitions:
            del self.partitions[number]
        for number in partitions - self.partitions.keys():
            settings = self._settings
            self.partitions[number] = PartitionJoin(
                self._topics, settings.horizon_ms, settings.out_of_orderness_ms
            )

    def restore(self, number: int, rows: Sequence[Record]) -> None:
        """Restore changelog rows of one partition."""
        self.restored_rows += len(rows)
        if partition := self.partitions.get(number):
            for row in rows:
                partition.restore(row.key, row.value)

    def resume(self) -> None:
        """Start processing at the input positions in the restored state."""
        self._last_input_at.clear()
        for number in self.partitions:
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
                partition = self.partitions[tp.partition]
                output = partition.process(tp.topic, chunk.end, chunk.records)
                await self._store(tp.partition, output)
                self._align_inputs(tp.partition)

    async def advance_time(self) -> None:
        """Advance event time in every partition, and publish the metrics that changed."""
        async with self._lock:
            for number, partition in self.partitions.items() if self._is_active else ():
                output = partition.advance_time(self._idle_inputs(number), self._idle_ms)
                if len(output.changelog_rows) > 1:
                    await self._store(number, output)
                self._align_inputs(number)
            if self._is_active and self._positions:
                await self._publish_metrics()

    async def _store(self, number: int, output: JoinOutput) -> None:
        rows_by_topic: dict[str, list[KeyValue]] = {}
        for record in output.records:
            rows_by_topic.setdefault(record.topic, []).append((record.key, record.value))
        sends = [self._io.send_rows(topic, number, rows) for topic, rows in rows_by_topic.items()]
        await asyncio.gather(*sends)
        await self._io.send_rows(self._changelog, number, output.changelog_rows)
        self._update_positions(number)

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
