"""The join of one partition: its entries, how far it has read, its watermark. No I/O.

Records go in; what comes out is what to publish and the rows to write to the changelog, from
which the same state is restored. The rows of one batch end with the partition's own row, the
ledger: how far each input was read is stored with the state that came of it, and the end of the
changelog is always a live row, which compaction keeps.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from pydantic import TypeAdapter

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR, decode, encode
from modstream.broker.wire.contracts import Feedback, Label, Prediction, Unjoined, UnjoinedReason
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.join.label_stats import LabelFigures
from modstream.processors.join.state_machine import (
    Arrival,
    Count,
    Entry,
    State,
    Step,
    due,
    expire,
    on_label,
    on_prediction,
)

LEDGER_KEY = b""
"""No id is empty, so this key of the changelog is free for the partition's own row."""
MOST_CHANGES = 5000
"""Entries that one batch changes before it leaves what is overdue to the next one."""


@dataclass(slots=True)
class Input:
    """How far one input topic was read: the next offset, and the newest event time seen."""

    position: int | None = None
    newest: int | None = None


@dataclass(slots=True)
class Ledger:
    """A partition's own row: its inputs by topic, its watermark, its counts since ever."""

    inputs: dict[str, Input] = field(default_factory=dict)
    watermark: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    figures: LabelFigures = field(default_factory=LabelFigures)


class Changes(NamedTuple):
    """What a batch came to: records to publish, then rows for the changelog."""

    outgoing: list[Outgoing]
    rows: list[tuple[bytes, bytes | None]]


ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
LEDGER: TypeAdapter[Ledger] = TypeAdapter(Ledger)


class Partition:
    """The state of one partition. Its changes must be made durable, or the process must end.

    `horizon` and `disorder` are milliseconds of event time: how long a label is waited for, and
    how far the records of one input may be out of order.
    """

    def __init__(self, topics: Topics, horizon: int, disorder: int) -> None:
        self.entries: dict[str, Entry] = {}
        self.ledger = Ledger({topics.predictions: Input(), topics.labels: Input()})
        self.open = 0
        self._topics = topics
        self._horizon = horizon
        self._disorder = disorder
        self._due: list[tuple[int, str]] = []
        self._changed: set[str] = set()
        self._outgoing: list[Outgoing] = []

    def take(self, topic: str, position: int, records: Sequence[Record]) -> Changes:
        """Join the next records of one input, which was read up to `position`."""
        source = self.ledger.inputs[topic]
        take = self._prediction if topic == self._topics.predictions else self._label
        for record in records:
            if source.position is not None and record.offset < source.position:
                self.ledger.counts[Count.REPLAYED] += 1
            else:
                take(record, source)
        source.position = max(position, source.position or 0)
        return self.sweep(())

    def sweep(self, finished: Collection[str], idle_for: int = 0) -> Changes:
        """Let event time pass: everything whose horizon is over is given up or dropped.

        `finished` are the input topics that have been read to their end: they do not hold the
        watermark back. With both finished it also moves on by `idle_for` milliseconds.
        """
        self._advance(finished, idle_for)
        overdue = self.ledger.watermark
        while self._due and self._due[0][0] < overdue and len(self._changed) < MOST_CHANGES:
            time, name = heappop(self._due)
            entry = self.entries.get(name)
            if entry is not None and due(entry, self._horizon) == time:
                self._apply(name, expire(entry, self.ledger.watermark, self._horizon))
        return self._flush()

    def ahead(self, topic: str) -> bool:
        """Whether an input has run ahead of the other in event time, by more than the disorder."""
        inputs = self.ledger.inputs
        own = inputs[topic].newest
        others = [source.newest for name, source in inputs.items() if name != topic]
        return own is not None and any(it is None or own > it + self._disorder for it in others)

    def restore(self, key: bytes | None, value: bytes | None) -> None:
        """Take one row back from the changelog, in the order in which it was written."""
        if key:
            self._put(key.decode(), None if value is None else ENTRY.validate_json(value))
        elif value is not None:
            self.ledger = LEDGER.validate_json(value)

    def _advance(self, finished: Collection[str], idle_for: int) -> None:
        """The watermark is that of the slower input; an input at its end is not waited for.

        Flink's rule for several inputs and idle ones:
        https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/datastream/event-time/generating_watermarks/
        """
        inputs = self.ledger.inputs
        waited_for = [source.newest for topic, source in inputs.items() if topic not in finished]
        seen = [source.newest for source in inputs.values() if source.newest is not None]
        times = [time for time in waited_for if time is not None]
        if not seen or len(times) < len(waited_for):
            return
        if not waited_for:
            self.ledger.watermark += idle_for
        reached = min(times, default=max(seen))
        self.ledger.watermark = max(self.ledger.watermark, reached - self._disorder)

    def _prediction(self, record: Record, source: Input) -> None:
        if record.header(Header.KIND) == ERROR:
            self.ledger.counts[Count.REFUSED] += 1
            return
        try:
            prediction = decode(Prediction, record.value)
        except DecodeError:
            self.ledger.counts[Count.MALFORMED] += 1
            return
        arrival = Arrival(record.offset, record.key, record.timestamp)
        before = self.entries.get(prediction.id)
        step = on_prediction(before, prediction, arrival)
        if step.entry is not before and not _is_given_up(before):
            self.ledger.figures.predicted(prediction)
        self._apply(prediction.id, step)
        asked_at = record.timestamp if prediction.event_time is None else prediction.event_time
        self._saw(source, asked_at, record)

    def _label(self, record: Record, source: Input) -> None:
        try:
            label = decode(Label, record.value)
        except DecodeError:
            self.ledger.counts[Count.MALFORMED] += 1
            return
        arrival = Arrival(record.offset, record.key, record.timestamp)
        self._apply(label.id, on_label(self.entries.get(label.id), label, arrival))
        self._saw(source, label.event_time, record)

    def _saw(self, source: Input, event_time: int, record: Record) -> None:
        """Note how new an input is; no event lies far in the future of its own record.

        Else one sender whose clock or unit is wrong would end the horizon of everybody.
        """
        plausible = min(event_time, record.timestamp + self._disorder)
        source.newest = plausible if source.newest is None else max(plausible, source.newest)

    def _apply(self, name: str, step: Step) -> None:
        before = self.entries.get(name)
        if step.counted is not None:
            self.ledger.counts[step.counted] += 1
        known = step.entry or before
        for output in step.outputs:
            joined = isinstance(output, Feedback)
            topic = self._topics.feedback if joined else self._topics.unjoined
            key = None if known is None else known.key
            self._outgoing.append(Outgoing(topic, key, encode(output)))
            if before is not None:
                self._count(output, before)
        if step.entry is not before:
            self._changed.add(name)
            self._put(name, step.entry)

    def _count(self, output: Feedback | Unjoined, before: Entry) -> None:
        """Note what a message says of labels: whose predictions they met, and how late."""
        figures = self.ledger.figures
        if isinstance(output, Feedback) and output.revises is None:
            figures.labelled(output.predictions)
            if before.state is State.OPEN:
                figures.delayed(output.label_time - output.event_time)
        elif isinstance(output, Unjoined) and output.reason is UnjoinedReason.MISSING:
            figures.missed(before.predictions)

    def _put(self, name: str, entry: Entry | None) -> None:
        before = self.entries.pop(name, None)
        self.open += _is_open(entry) - _is_open(before)
        if entry is not None:
            self.entries[name] = entry
            time = due(entry, self._horizon)
            if before is None or due(before, self._horizon) != time:
                heappush(self._due, (time, name))

    def _flush(self) -> Changes:
        outgoing, self._outgoing = self._outgoing, []
        changed, self._changed = self._changed, set()
        rows = [(name.encode(), self._row(name)) for name in changed]
        return Changes(outgoing, [*rows, (LEDGER_KEY, LEDGER.dump_json(self.ledger))])

    def _row(self, name: str) -> bytes | None:
        entry = self.entries.get(name)
        return None if entry is None else ENTRY.dump_json(entry, exclude_defaults=True)


def _is_open(entry: Entry | None) -> bool:
    return entry is not None and entry.state is State.OPEN


def _is_given_up(entry: Entry | None) -> bool:
    return entry is not None and entry.state is State.GIVEN_UP
