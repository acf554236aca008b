"""The joiner: owned partitions, and the order in which what they come to is made durable."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.processors.join.metrics import join_metrics
from modstream.processors.join.partition import Changes, Partition

HOUR_MS = 3600 * 1000
Row = tuple[bytes | None, bytes | None]
MetricsKey = tuple[str, str | None, int | None]


@dataclass(frozen=True, slots=True)
class JoinerSettings:
    """How the joiner joins. Milliseconds are event time, seconds are wall time."""

    horizon_ms: int = 48 * HOUR_MS
    """How long a label is waited for, and after that told apart as late."""
    out_of_orderness_ms: int = HOUR_MS
    """How far one input may be out of order: a writer that was away for a while and comes back.
    It is added to the horizon; whoever expects later labels lengthens the horizon instead."""
    partitions: int = 4
    """Of the predictions, labels, feedback and unjoined topics, and so of the changelog."""
    replication: int = 1
    """Copies of the changelog, once, when it is created."""
    instance: str | None = None
    """This process's own name in the group, the same after a restart: then a joiner that was
    killed is replaced at once, not after its session of 10 s."""
    batch: int = 1000
    """Most records taken at once."""
    idle_seconds: float = 10.0
    """An input that was read to its end for this long no longer holds the watermark back."""
    idle_rate: float = 0.0
    """Event milliseconds per wall millisecond by which the watermark moves on when both inputs
    are idle. 0: event time stops with the stream; 1: it is taken for the time of day."""
    sweep_seconds: float = 1.0
    """How often overdue entries are looked for and counters published."""
    stall_seconds: float = 60.0
    """With records waiting and no offset moving for this long, the process exits."""
    data_dir: Path = Path(".modstream/joiner")
    """Where Faust keeps its own files; the join's state is in the changelog."""


class Chunk(NamedTuple):
    """Successive records of one partition: `start` is where reading went on, None if unknown.

    Between `start` and `end` lie, besides the records, only markers and aborted records.
    """

    start: int | None
    end: int
    records: Sequence[Record]


class Doors(Protocol):
    """What the joiner needs of the broker: rows out, and whether an input has more to come."""

    async def send_rows(self, topic: str, partition: int, rows: Iterable[Row]) -> None:
        """Send rows to one partition and wait until they are acknowledged."""

    def at_end(self, tp: TopicPartition) -> bool:
        """Whether everything in this partition has been read and taken."""

    def hold(self, tp: TopicPartition, *, back: bool) -> None:
        """Take nothing from this partition for now, or take from it again."""


class Joiner:
    """Joins the partitions that this process owns, between a recovery and the next suspension.

    The order in which a batch becomes durable:
      1. join it in memory
      2. publish what came of it, and wait for the acknowledgements
      3. write its rows to the changelog, and wait
      4. move `positions` on, to which the consumer commits and rewinds
    A crash between 2 and 3 repeats outputs, never loses one; a failure ends the process, so that
    what is in memory never runs ahead of the changelog.
    """

    def __init__(
        self, topics: Topics, settings: JoinerSettings, changelog: str, doors: Doors
    ) -> None:
        self.partitions: dict[int, Partition] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.restored = 0
        self._topics = topics
        self._settings = settings
        self._changelog = changelog
        self._doors = doors
        self._idle_ms = int(settings.sweep_seconds * 1000 * settings.idle_rate)
        self._lock = asyncio.Lock()
        self._active = False
        self._fed_at: dict[TopicPartition, float] = {}
        self._published: dict[MetricsKey, Metrics] = {}

    async def suspend(self) -> None:
        """Finish the batch in hand and take no other until `resume`."""
        async with self._lock:
            self._active = False

    def own(self, partitions: Collection[int]) -> None:
        """Keep the state of these partitions, to be restored row by row; forget all others."""
        self.positions.clear()
        for number in self.partitions.keys() - partitions:
            del self.partitions[number]
        for number in partitions - self.partitions.keys():
            settings = self._settings
            self.partitions[number] = Partition(
                self._topics, settings.horizon_ms, settings.out_of_orderness_ms
            )

    def restore(self, number: int, rows: Sequence[Record]) -> None:
        """Take rows of one partition back from the changelog."""
        self.restored += len(rows)
        if partition := self.partitions.get(number):
            for row in rows:
                partition.restore(row.key, row.value)

    def resume(self) -> None:
        """Begin where the ledgers say that the inputs were read to."""
        self._fed_at.clear()
        for number in self.partitions:
            self._settle(number)
            self._keep_step(number)
        self._active = True

    async def take(self, tp: TopicPartition, chunk: Chunk) -> None:
        """Join the next records of one input.

        A chunk that leaves a hole behind the last one is not taken: the records between were
        dropped in a rebalance, and will be read again.
        """
        async with self._lock:
            position = self.positions.get(tp, -1)
            connects = chunk.start is None or chunk.start <= position
            if self._active and connects and tp.partition in self.partitions:
                self._fed_at[tp] = monotonic()
                partition = self.partitions[tp.partition]
                await self._store(tp.partition, partition.take(tp.topic, chunk.end, chunk.records))
                self._keep_step(tp.partition)

    async def sweep(self) -> None:
        """Let event time pass in every partition, and publish the counters if they moved."""
        async with self._lock:
            for number, partition in self.partitions.items() if self._active else ():
                changes = partition.sweep(self._idle_inputs(number), self._idle_ms)
                if len(changes.rows) > 1:
                    await self._store(number, changes)
                self._keep_step(number)
            if self._active and self.positions:
                await self._publish()

    async def _store(self, number: int, changes: Changes) -> None:
        published: dict[str, list[Row]] = {}
        for outgoing in changes.outgoing:
            published.setdefault(outgoing.topic, []).append((outgoing.key, outgoing.value))
        sends = [self._doors.send_rows(to, number, rows) for to, rows in published.items()]
        await asyncio.gather(*sends)
        await self._doors.send_rows(self._changelog, number, changes.rows)
        self._settle(number)

    def _settle(self, number: int) -> None:
        for topic, source in self.partitions[number].ledger.inputs.items():
            if source.position is not None:
                self.positions[TopicPartition(topic, number)] = source.position

    def _keep_step(self, number: int) -> None:
        """Hold an input back that runs ahead of the other while that one has more to come.

        So a long backlog is joined in the memory of one horizon, however the fetches fall.
        """
        predictions, labels = self._homes(number)
        for tp, other in ((predictions, labels), (labels, predictions)):
            ahead = self.partitions[number].ahead(tp.topic)
            self._doors.hold(tp, back=ahead and not self._doors.at_end(other))

    def _homes(self, number: int) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in self.partitions[number].ledger.inputs]

    def _idle_inputs(self, number: int) -> list[str]:
        """The inputs of a partition that were read to their end a while ago."""
        now = monotonic()
        return [
            tp.topic
            for tp in self._homes(number)
            if now - self._fed_at.setdefault(tp, now) >= self._settings.idle_seconds
            and self._doors.at_end(tp)
        ]

    async def _publish(self) -> None:
        """Put out the figures that have changed; the counters as often as positions move."""
        found: dict[MetricsKey, Metrics] = {
            (metrics.kind, metrics.model, metrics.version): metrics
            for metrics in join_metrics(self.partitions.values(), self.positions)
        }
        news = [
            metrics for key, metrics in found.items() if _is_news(metrics, self._published.get(key))
        ]
        if news:
            rows = [(metrics.kind.encode(), encode(metrics)) for metrics in news]
            await self._doors.send_rows(self._topics.metrics, 0, rows)
        self._published = found


def _is_news(metrics: Metrics, known: Metrics | None) -> bool:
    if known is None or metrics.kind == "joiner":
        return metrics != known
    return metrics.values != known.values
