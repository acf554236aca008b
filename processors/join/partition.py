"""The join of one partition: its entries, its input positions, its watermark.

Records go in; records to publish and rows for the changelog come out. The same state is restored
from the changelog. The entries are in a store (`entry_store.py`), which keeps changes once the
changelog has them. The rows of a batch end with the partition's state row: how far each input was
read is stored with the entries that resulted, and the last row of the changelog is always live,
so compaction keeps it.

Each record is processed on its own: it changes everything that it should, or nothing. A record
that cannot be read, or that raises an unforeseen exception, becomes a dead letter.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pydantic import TypeAdapter

from modstream.broker.errors import DecodeError, InternalError, UnforeseenException
from modstream.broker.loop.isolation import RecordFault, is_fault, log_faults, place_of
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Topics
from modstream.processors.join.arrivals import Arrivals
from modstream.processors.join.changes import Changes
from modstream.processors.join.entries import MemoryEntries
from modstream.processors.join.entry import ENTRY_ADAPTER, JoinEntry
from modstream.processors.join.entry_store import ChangelogRow, EntryStore
from modstream.processors.join.partition_state import InputProgress, PartitionState
from modstream.processors.join.routing import LabelRouter
from modstream.processors.join.settings import EntryLimits
from modstream.processors.join.state_machine import evict, expire
from modstream.processors.join.transitions import JoinCounter, Transition

STATE_KEY = b""
"""Changelog key of the partition's state row; ids are never empty, so no entry has this key."""
MAX_CHANGES = 5000
"""Once a batch has changed this many entries, the other expired entries wait for the next one."""
MAX_EXPIRED_BYTES = 16 * 1024 * 1024
"""Likewise once the expired entries of a batch have this estimated size."""
MEASURED_BYTES = 1024 * 1024
"""Estimated size from which an entry's changelog row is measured before the entry is kept."""
MAX_ROW_BYTES = MAX_RECORD_BYTES - 64 * 1024
"""Maximum size of an entry in the changelog."""


class JoinOutput(NamedTuple):
    """The result of a batch: records to publish, then rows to write to the changelog."""

    records: list[ProducerRecord]
    changelog_rows: list[ChangelogRow]


STATE_ADAPTER: TypeAdapter[PartitionState] = TypeAdapter(PartitionState)


class PartitionJoin:
    """The join of one partition. Its output must be made durable, or the process must end.

    `horizon` and `out_of_orderness` are milliseconds of event time: how long a prediction waits
    for its label, and how far the records of one input may be out of order. `limits` bound what is
    kept, `record_limits` what is published. `number` is that of the partition, among `partitions`
    of each topic. `entries` is where entries are kept, by default memory.
    """

    def __init__(  # noqa: PLR0913 - limits that have defaults, and a place among the partitions
        self,
        topics: Topics,
        horizon: int,
        out_of_orderness: int,
        limits: EntryLimits = EntryLimits(),  # noqa: B008 - a tuple
        record_limits: RecordLimits | None = None,
        *,
        number: int = 0,
        partitions: int = 1,
        entries: EntryStore | None = None,
    ) -> None:
        inputs = {topics.predictions: InputProgress(), topics.labels: InputProgress()}
        self.state = PartitionState(inputs)
        self._topics = topics
        self._record_limits = record_limits or RecordLimits()
        self._number = number
        self._horizon = horizon
        self._out_of_orderness = out_of_orderness
        self._entries: EntryStore = entries or MemoryEntries(horizon, limits)
        if self._entries.state_row is not None:
            self.state = STATE_ADAPTER.validate_json(self._entries.state_row)
        router = LabelRouter(number, partitions, self._record_limits)
        self._arrivals = Arrivals(self._entries, router)
        self._changed: set[str] = set()
        self._records: list[ProducerRecord] = []
        self._faults: list[RecordFault] = []

    @property
    def entries(self) -> Mapping[str, JoinEntry]:
        """All entries by the key of their row, read into memory."""
        return self._entries.snapshot()

    @property
    def store(self) -> EntryStore:
        """Where the entries are kept."""
        return self._entries

    @property
    def open_count(self) -> int:
        """The number of rows of which one side has arrived."""
        return self._entries.open_count

    @property
    def waiting_label_count(self) -> int:
        """The number of labels that wait for their prediction."""
        return self._entries.orphan_count

    def oldest_waiting_label(self) -> JoinEntry | None:
        """Return the label that has waited longest for its prediction, or None."""
        return self._entries.oldest_orphan()

    def answered(self, request_id: str) -> JoinEntry | None:
        """Return the first row of a request that has a response here, or None."""
        entry = self._entries.get(request_id)
        return entry if entry is not None and entry.has_response else None

    def process(self, topic: str, position: int, records: Sequence[Record]) -> JoinOutput:
        """Join the next records of one input, which was read up to `position`."""
        progress = self.state.inputs[topic]
        # Most keys are ids, and so the keys of the requests' first rows.
        names = [record.key.decode(errors="surrogateescape") for record in records if record.key]
        self._entries.read_ahead(names)
        for record in records:
            if progress.position is not None and record.offset < progress.position:
                self.state.counts[JoinCounter.REPLAYED] += 1
            else:
                self._process_record(record, progress)
        progress.position = max(position, progress.position or 0)
        return self.advance_time(())

    def set_aside(self, topic: str, record: Record, cause: InternalError) -> JoinOutput:
        """Step over a record that must not be joined, because no process survives it."""
        progress = self.state.inputs[topic]
        if record.offset < (progress.position or 0):
            self.state.counts[JoinCounter.REPLAYED] += 1
        else:
            self._apply(self._set_aside(record, cause, JoinCounter.INTERNAL_ERROR))
            progress.position = record.offset + 1
        return self._flush()

    def advance_time(
        self, finished_inputs: Collection[str], idle_ms: int = 0, *, tell: bool = False
    ) -> JoinOutput:
        """Advance the watermark, expire every entry whose horizon has passed, and evict.

        Args:
            finished_inputs: inputs that were read to their end; they do not hold the watermark
                back. With both inputs finished, the watermark also advances by `idle_ms`.
            idle_ms: milliseconds of event time.
            tell: publish why labels cannot be joined that wait for the response of another model.
        """
        self.state.advance_watermark(finished_inputs, idle_ms, self._out_of_orderness)
        if tell:
            self._tell_waiting_labels()
        watermark = self.state.watermark
        size = 0
        while len(self._changed) < MAX_CHANGES and size < MAX_EXPIRED_BYTES:
            due = self._entries.pop_due(watermark)
            if due is None:
                break
            size += due.size
            self._change_entry(due, expire(due, watermark, self._horizon))
        for _ in range(MAX_CHANGES):
            found = self._entries.next_evicted()
            if found is None:
                break
            self._change_entry(found[0], evict(*found))
            self.state.counts[JoinCounter.EVICTED] += 1
        return self._flush()

    def is_ahead(self, topic: str) -> bool:
        """Return whether an input's event time leads by more than the out-of-orderness."""
        return self.state.is_ahead(topic, self._out_of_orderness)

    def restore(self, key: bytes | None, value: bytes | None) -> None:
        """Restore one row of the changelog; rows must come in the order they were written.

        Raises:
            StateForeign: the store has been written from another changelog.
        """
        if key:
            entry = None if value is None else ENTRY_ADAPTER.validate_json(value)
            self._entries.put(key.decode(errors="surrogateescape"), entry)
            if entry is not None and entry.unlabellable is not None:
                self._entries.add_untold([entry.id])
        elif value is not None:
            restored = STATE_ADAPTER.validate_json(value)
            known, found = self.state.table_id, restored.table_id
            if known and found and known != found:
                self._entries.reject_changelog()
            self.state = restored

    def restore_rows(self, rows: Sequence[Record]) -> None:
        """Restore the next rows of the changelog, and let the store keep them."""
        if not rows or rows[-1].offset + 1 < (self._entries.next_offset or 0):
            return  # Left over from before a rebalance.
        for row in rows:
            self.restore(row.key, row.value)
        kept = {row.key or STATE_KEY: row.value for row in rows}
        self._entries.commit_restored(list(kept.items()), rows[-1].offset + 1)

    def _process_record(self, record: Record, progress: InputProgress) -> None:
        """Join one record, or set it aside; nothing is changed before all changes are known."""
        changes = self._new_changes()
        newest, arrivals = progress.max_event_time, self._arrivals
        try:
            if record.topic == self._topics.labels:
                event_time = arrivals.add_label(changes, record, newest, self.state.now)
            else:
                event_time = arrivals.add_response(changes, record, newest)
            self._bound_rows(changes)
        except DecodeError as error:
            changes = self._set_aside(record, error, JoinCounter.MALFORMED)
            event_time = None
        except BaseException as error:
            if not is_fault(error):
                raise
            place = place_of(error)
            self._faults.append(RecordFault(record, error, place))
            cause = UnforeseenException(type(error).__qualname__, place)
            changes = self._set_aside(record, cause, JoinCounter.INTERNAL_ERROR)
            event_time = None
        self._apply(changes)
        if event_time is not None:
            progress.note_event_time(event_time, record.timestamp + self._out_of_orderness)

    def _set_aside(self, record: Record, cause: Exception, counter: JoinCounter) -> Changes:
        """Return the changes by a record that cannot be joined: a dead letter."""
        changes = self._new_changes()
        changes.counts[counter] += 1
        topic, stage = self._topics.dlq, "VALUE_CONVERTER"
        letter = build_dead_letter(record, topic, cause, stage, self._record_limits.of(topic))
        changes.records.append(letter)
        return changes

    def _change_entry(self, entry: JoinEntry, transition: Transition) -> None:
        """Apply a change that the passing of time makes; an entry that cannot change is dropped."""
        changes = self._new_changes()
        try:
            changes.add(entry.row_key, transition)
        except BaseException as error:
            if not is_fault(error):
                raise
            self._add_fault(entry, error)
            changes = self._new_changes()
            changes.changed[entry.row_key] = None
            changes.counts[JoinCounter.INTERNAL_ERROR] += 1
        self._apply(changes)

    def _new_changes(self) -> Changes:
        return Changes(self._topics, self._entries, self._record_limits, self._number)

    def _tell_waiting_labels(self) -> None:
        while len(self._changed) < MAX_CHANGES and (untold := self._entries.take_untold()):
            for request_id in untold:
                for entry, transition in self._arrivals.waiting_labels(request_id):
                    self._change_entry(entry, transition)

    def _bound_rows(self, changes: Changes) -> None:
        """Drop what an entry holds if the changelog cannot hold it."""
        for key, entry in tuple(changes.changed.items()):
            if entry is not None and entry.size > MEASURED_BYTES:
                size = len(_encode_entry(entry))
                if size > MAX_ROW_BYTES:
                    self._arrivals.drop_content(changes, key, size)

    def _apply(self, changes: Changes) -> None:
        state = self.state
        if changes.counts:
            state.counts.update(changes.counts)
        changes.apply_to_stats(state.label_stats)
        self._records += changes.records
        for key, entry in changes.changed.items():
            self._entries.put(key, entry)
            self._changed.add(key)
        if changes.untold:
            self._entries.add_untold(changes.untold)

    def _flush(self) -> JoinOutput:
        changed, self._changed = self._changed, set()
        rows = [
            (key.encode(errors="surrogateescape"), self._changelog_value(key)) for key in changed
        ]
        records, self._records = self._records, []
        if self._faults:
            log_faults(self._faults)
            self._faults = []
        return JoinOutput(records, [*rows, (STATE_KEY, STATE_ADAPTER.dump_json(self.state))])

    def _changelog_value(self, key: str) -> bytes | None:
        """Return the changelog row of an entry; an entry that cannot be written is dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        try:
            return _encode_entry(entry)
        except BaseException as error:
            if not is_fault(error):
                raise
            self._add_fault(entry, error)
            self._entries.put(key, None)
            self.state.counts[JoinCounter.INTERNAL_ERROR] += 1
            return None

    def _add_fault(self, entry: JoinEntry, error: BaseException) -> None:
        place = Record(self._topics.labels, 0, entry.last_label_offset, entry.key, None)
        self._faults.append(RecordFault(place, error, place_of(error)))


def _encode_entry(entry: JoinEntry) -> bytes:
    return ENTRY_ADAPTER.dump_json(entry, exclude_defaults=True)
