"""The join of one partition: its entries, its input positions, its watermark. No I/O.

Records go in; records to publish and rows for the changelog come out. The same state is restored
from the changelog. The rows of a batch end with the partition's state row: how far each input was
read is stored with the entries that resulted, and the last row of the changelog is always live,
so compaction keeps it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Annotated, NamedTuple

from pydantic import TypeAdapter

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, decode, encode
from modstream.broker.wire.contracts import Feedback, Label, Prediction, Unjoined, UnjoinedReason
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.join.label_stats import LabelStats
from modstream.processors.join.state_machine import (
    Arrival,
    JoinCounter,
    JoinEntry,
    JoinState,
    Transition,
    either,
    expire,
    expiry_time,
    on_label,
    on_prediction,
)

STATE_KEY = b""
"""Changelog key of the partition's state row; ids are never empty, so no entry has this key."""
MAX_CHANGES = 5000
"""Once a batch has changed this many entries, the other expired entries wait for the next one."""


@dataclass(slots=True)
class InputProgress:
    """The progress of one input topic: the next offset to read, and the newest event time."""

    position: int | None = None
    max_event_time: Annotated[int | None, either("max_event_time", "newest")] = None


@dataclass(slots=True)
class PartitionState:
    """A partition's state row: its inputs by topic, its watermark, its counters since creation."""

    inputs: dict[str, InputProgress] = field(default_factory=dict)
    watermark: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    label_stats: Annotated[LabelStats, either("label_stats", "figures")] = field(
        default_factory=LabelStats
    )


class JoinOutput(NamedTuple):
    """The result of a batch: records to publish, then rows to write to the changelog."""

    records: list[ProducerRecord]
    changelog_rows: list[tuple[bytes, bytes | None]]


ENTRY_ADAPTER: TypeAdapter[JoinEntry] = TypeAdapter(JoinEntry)
STATE_ADAPTER: TypeAdapter[PartitionState] = TypeAdapter(PartitionState)


class PartitionJoin:
    """The join of one partition. Its output must be made durable, or the process must end.

    `horizon` and `out_of_orderness` are milliseconds of event time: how long a prediction waits
    for its label, and how far the records of one input may be out of order.
    """

    def __init__(self, topics: Topics, horizon: int, out_of_orderness: int) -> None:
        self.entries: dict[str, JoinEntry] = {}
        inputs = {topics.predictions: InputProgress(), topics.labels: InputProgress()}
        self.state = PartitionState(inputs)
        self.open_count = 0
        self._topics = topics
        self._horizon = horizon
        self._out_of_orderness = out_of_orderness
        self._expiries: list[tuple[int, str]] = []
        self._changed_ids: set[str] = set()
        self._records: list[ProducerRecord] = []

    def process(self, topic: str, position: int, records: Sequence[Record]) -> JoinOutput:
        """Join the next records of one input, which was read up to `position`."""
        progress = self.state.inputs[topic]
        is_prediction = topic == self._topics.predictions
        process = self._process_prediction if is_prediction else self._process_label
        for record in records:
            if progress.position is not None and record.offset < progress.position:
                self.state.counts[JoinCounter.REPLAYED] += 1
            else:
                process(record, progress)
        progress.position = max(position, progress.position or 0)
        return self.advance_time(())

    def advance_time(self, finished_inputs: Collection[str], idle_ms: int = 0) -> JoinOutput:
        """Advance the watermark, and expire every entry whose horizon has passed.

        Inputs in `finished_inputs` have been read to their end and do not hold the watermark
        back. With both inputs finished, the watermark also advances by `idle_ms`.
        """
        self._advance_watermark(finished_inputs, idle_ms)
        watermark = self.state.watermark
        while self._has_expired(watermark) and len(self._changed_ids) < MAX_CHANGES:
            time, entry_id = heappop(self._expiries)
            entry = self.entries.get(entry_id)
            if entry is not None and expiry_time(entry, self._horizon) == time:
                self._apply(entry_id, expire(entry, watermark, self._horizon))
        return self._flush()

    def is_ahead(self, topic: str) -> bool:
        """Return whether an input's event time leads by more than the out-of-orderness."""
        inputs = self.state.inputs
        own = inputs[topic].max_event_time
        others = [progress.max_event_time for name, progress in inputs.items() if name != topic]
        if own is None:
            return False
        return any(time is None or own > time + self._out_of_orderness for time in others)

    def restore(self, key: bytes | None, value: bytes | None) -> None:
        """Restore one row of the changelog; rows must come in the order they were written."""
        if key:
            entry = None if value is None else ENTRY_ADAPTER.validate_json(value)
            self._set_entry(key.decode(), entry)
        elif value is not None:
            self.state = STATE_ADAPTER.validate_json(value)

    def _has_expired(self, watermark: int) -> bool:
        return bool(self._expiries) and self._expiries[0][0] < watermark

    def _advance_watermark(self, finished_inputs: Collection[str], idle_ms: int) -> None:
        """Set the watermark to that of the slower input; finished inputs are ignored.

        This is Flink's rule for several inputs and idle ones:
        https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/datastream/event-time/generating_watermarks/
        """
        inputs = self.state.inputs
        active = [progress for topic, progress in inputs.items() if topic not in finished_inputs]
        seen = [p.max_event_time for p in inputs.values() if p.max_event_time is not None]
        times = [p.max_event_time for p in active if p.max_event_time is not None]
        if not seen or len(times) < len(active):
            return
        if not active:
            self.state.watermark += idle_ms
        newest = min(times, default=max(seen))
        self.state.watermark = max(self.state.watermark, newest - self._out_of_orderness)

    def _process_prediction(self, record: Record, progress: InputProgress) -> None:
        if record.header(Header.KIND) == KIND_ERROR:
            self.state.counts[JoinCounter.REFUSED] += 1
            return
        try:
            prediction = decode(Prediction, record.value)
        except DecodeError:
            self.state.counts[JoinCounter.MALFORMED] += 1
            return
        arrival = Arrival(record.offset, record.key, record.timestamp)
        before = self.entries.get(prediction.id)
        transition = on_prediction(before, prediction, arrival)
        if transition.entry is not before and not _is_given_up(before):
            self.state.label_stats.count_prediction(prediction)
        self._apply(prediction.id, transition)
        event_time = record.timestamp if prediction.event_time is None else prediction.event_time
        self._note_event_time(progress, event_time, record)

    def _process_label(self, record: Record, progress: InputProgress) -> None:
        try:
            label = decode(Label, record.value)
        except DecodeError:
            self.state.counts[JoinCounter.MALFORMED] += 1
            return
        arrival = Arrival(record.offset, record.key, record.timestamp)
        self._apply(label.id, on_label(self.entries.get(label.id), label, arrival))
        self._note_event_time(progress, label.event_time, record)

    def _note_event_time(self, progress: InputProgress, event_time: int, record: Record) -> None:
        """Update an input's newest event time, capped near the record's own timestamp.

        Without the cap, one sender with a wrong clock or unit would expire the entries of all.
        """
        capped = min(event_time, record.timestamp + self._out_of_orderness)
        newest = progress.max_event_time
        progress.max_event_time = capped if newest is None else max(capped, newest)

    def _apply(self, entry_id: str, transition: Transition) -> None:
        before = self.entries.get(entry_id)
        if transition.counter is not None:
            self.state.counts[transition.counter] += 1
        known = transition.entry or before
        for output in transition.outputs:
            is_feedback = isinstance(output, Feedback)
            topic = self._topics.feedback if is_feedback else self._topics.unjoined
            key = None if known is None else known.key
            self._records.append(ProducerRecord(topic, key, encode(output)))
            if before is not None:
                self._update_label_stats(output, before)
        if transition.entry is not before:
            self._changed_ids.add(entry_id)
            self._set_entry(entry_id, transition.entry)

    def _update_label_stats(self, output: Feedback | Unjoined, before: JoinEntry) -> None:
        """Count the predictions that a message labels or gives up, and its label's delay."""
        stats = self.state.label_stats
        if isinstance(output, Feedback) and output.revises is None:
            stats.count_labelled(output.predictions)
            if before.state is JoinState.OPEN:
                stats.count_delay(output.label_time - output.event_time)
        elif isinstance(output, Unjoined) and output.reason is UnjoinedReason.MISSING:
            stats.count_missing(before.predictions)

    def _set_entry(self, entry_id: str, entry: JoinEntry | None) -> None:
        before = self.entries.pop(entry_id, None)
        self.open_count += _is_open(entry) - _is_open(before)
        if entry is not None:
            self.entries[entry_id] = entry
            time = expiry_time(entry, self._horizon)
            if before is None or expiry_time(before, self._horizon) != time:
                heappush(self._expiries, (time, entry_id))

    def _flush(self) -> JoinOutput:
        records, self._records = self._records, []
        changed, self._changed_ids = self._changed_ids, set()
        rows = [(entry_id.encode(), self._changelog_value(entry_id)) for entry_id in changed]
        return JoinOutput(records, [*rows, (STATE_KEY, STATE_ADAPTER.dump_json(self.state))])

    def _changelog_value(self, entry_id: str) -> bytes | None:
        entry = self.entries.get(entry_id)
        return None if entry is None else ENTRY_ADAPTER.dump_json(entry, exclude_defaults=True)


def _is_open(entry: JoinEntry | None) -> bool:
    return entry is not None and entry.state is JoinState.OPEN


def _is_given_up(entry: JoinEntry | None) -> bool:
    return entry is not None and entry.state is JoinState.GIVEN_UP
