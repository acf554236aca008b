"""What a prediction, an error response or a label changes in the entries of its request. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from modstream.broker.errors import DecodeError, OffsetsUnreadable
from modstream.broker.wire.codec import KIND_ERROR, as_unicode, decode
from modstream.broker.wire.contracts import (
    ErrorResponse,
    JoinedPrediction,
    Label,
    Prediction,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.record_size import MAX_KEY_BYTES
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.broker.wire.trace_context import sampled_parent
from modstream.processors.join.answers import (
    MAX_DETAIL_LENGTH,
    AnsweredRows,
    Unlabellable,
    row_sizes,
    rows_of,
)
from modstream.processors.join.changes import Changes
from modstream.processors.join.entry import FIRST_ROW_WAITING, JoinEntry, JoinState
from modstream.processors.join.entry_store import EntryStore
from modstream.processors.join.problems import problem_of, row_problem
from modstream.processors.join.routing import LabelRouter, origin_of
from modstream.processors.join.state_machine import (
    held_label,
    merge_labels,
    on_label,
    on_prediction,
    on_unlabellable,
    tell,
    unjoined_message,
)
from modstream.processors.join.transitions import (
    Arrival,
    JoinCounter,
    RowPrediction,
    Transition,
)

MAX_LABEL_BYTES = 64 * 1024
"""Maximum size of a label's record."""


class Arrivals:
    """Collects what records change; the entries themselves are left as they are."""

    def __init__(self, entries: EntryStore, router: LabelRouter) -> None:
        self._entries = entries
        self._router = router

    def add_response(self, changes: Changes, record: Record, newest: int | None) -> int | None:
        """Collect the changes by a response.

        Args:
            changes: where they are collected.
            record: a prediction or an error response.
            newest: the newest event time of the responses so far; an error has none of its own.

        Returns:
            The event time of a prediction.

        Raises:
            DecodeError: it is no response.
        """
        check_readable(record)
        arrival = _arrival_of(record, newest)
        if record.header(Header.KIND) == KIND_ERROR:
            error = decode(ErrorResponse, record.value)
            detail = f"{error.code}: {error.message}"[:MAX_DETAIL_LENGTH]
            problem = Unlabellable(UnjoinedReason.REFUSED, detail)
            self._add_problem(changes, error.id, problem, newest, arrival)
            return None
        prediction = decode(Prediction, record.value)
        answer = rows_of(prediction)
        if isinstance(answer, Unlabellable):
            self._add_problem(changes, prediction.id, answer, prediction.event_time, arrival)
        else:
            self._add_rows(changes, prediction, answer, arrival, len(record.value or b""))
        return record.timestamp if prediction.event_time is None else prediction.event_time

    def add_label(
        self, changes: Changes, record: Record, newest: int | None, now: int = 0
    ) -> int | None:
        """Collect the changes by a label; return its event time.

        A label whose request has no response here, and belongs in another partition, is sent there.

        Args:
            changes: where they are collected.
            record: a label.
            newest: the newest event time of the labels so far.
            now: the newest event time of all records so far.

        Raises:
            DecodeError: it is no label, and not even its id can be read.
        """
        check_readable(record)
        arrival = _arrival_of(record, newest)._replace(now=now)
        try:
            label = decode(Label, record.value, MAX_LABEL_BYTES)
        except DecodeError as error:
            if error.request_id is None:
                raise
            message = Unjoined(
                id=error.request_id,
                reason=UnjoinedReason.MALFORMED,
                detail=as_unicode(str(error)[:MAX_DETAIL_LENGTH]),
            )
            known = changes.get(message.id)
            malformed = Transition(known, (message,), JoinCounter.MALFORMED)
            changes.add(message.id, malformed, arrival.key)
            return None
        main = changes.get(label.id)
        is_answered = main is not None and (main.rows is not None or main.unlabellable is not None)
        row = FIRST_ROW_WAITING if label.row == 0 and not is_answered else label.row or 0
        key = row_key(label.id, row)
        entry = changes.get(key)
        if not _has_response(main) and not _has_response(entry):
            copy = self._router.copy_for_home(record, label.id)
            if copy is not None:
                changes.forward(copy)
                return label.event_time
        problem = problem_of(label, main, entry)
        if problem is not None and problem.is_final:
            about = entry or main or JoinEntry(label.id)
            held = held_label(label, arrival)
            message = unjoined_message(about, problem.reason, held, problem.detail)
            told = Transition(entry, (message,), JoinCounter.UNLABELLABLE)
            changes.add(key, told, arrival.key)
        else:
            changes.add(key, on_label(entry, label, arrival, row))
            if problem is not None:
                changes.untold.add(label.id)
        return label.event_time

    def waiting_labels(self, request_id: str) -> list[tuple[JoinEntry, Transition]]:
        """Return the entries of a request whose labels cannot be joined, and how they are told."""
        main = self._entries.get(request_id)
        if main is None or main.unlabellable is None:
            return []
        found = map(self._entries.get, tuple(self._entries.rows_of(request_id)))
        return [
            (entry, tell(entry, entry.label, main.unlabellable))
            for entry in found
            if entry is not None and entry.label is not None and entry.state is JoinState.OPEN
        ]

    def drop_content(self, changes: Changes, key: str, size: int) -> None:
        """Drop what an entry holds, because its changelog row would be too large."""
        entry = changes.get(key)
        if entry is None:
            return
        kept = replace(entry, predictions=(), joined_predictions=(), features=None, size=0)
        if entry.state is JoinState.OPEN:
            place = changes.place_of(entry)
            detail = f"the row has {size:,} bytes, more than are kept; see {place}"
            problem = Unlabellable(UnjoinedReason.TOO_LARGE, detail, entry.rows)
            kept = replace(kept, unlabellable=problem)
        changes.changed[key] = kept

    def _add_problem(
        self,
        changes: Changes,
        request_id: str,
        problem: Unlabellable,
        event_time: int | None,
        arrival: Arrival,
    ) -> None:
        """Mark a request whose labels cannot be joined, and tell those that are waiting.

        As long as another model may still give a prediction, they are told a little later.
        """
        before = changes.get(request_id)
        marked = on_unlabellable(before, request_id, problem, event_time, arrival)
        changes.add(request_id, marked)
        if marked.entry is None or marked.entry.unlabellable is not problem:
            return
        if not problem.is_final:
            changes.untold.add(request_id)
            return
        for key, entry in self._orphans(changes, request_id):
            if entry.label is not None:
                changes.add(key, tell(entry, entry.label, problem))

    def _add_rows(
        self,
        changes: Changes,
        prediction: Prediction,
        answer: AnsweredRows,
        arrival: Arrival,
        value_size: int,
    ) -> None:
        """Join each row of a prediction with its label, if that has arrived."""
        size = len(answer.outputs)
        main = changes.get(prediction.id)
        if main is not None and main.unlabellable is not None and main.unlabellable.is_final:
            changes.counts[JoinCounter.REFUSED] += 1
            return
        self._settle_waiting_labels(changes, prediction.id, size)
        sizes = (value_size,) if size == 1 else row_sizes(answer)
        rows = zip(answer.outputs, answer.features, sizes, strict=True)
        for row, (outputs, features, row_size) in enumerate(rows):
            scored = JoinedPrediction.model_construct(
                model=prediction.model, version=prediction.version, outputs=outputs
            )
            key = row_key(prediction.id, row)
            before = changes.get(key)
            one = RowPrediction(
                prediction.id, row, size, scored, features, prediction.event_time, row_size
            )
            transition = on_prediction(before, one, arrival)
            is_given_up = before is not None and before.state is JoinState.GIVEN_UP
            if transition.entry is not before and not is_given_up:
                changes.count_prediction(scored)
            changes.add(key, transition)

    def _settle_waiting_labels(self, changes: Changes, request_id: str, size: int) -> None:
        """Tell the waiting labels of rows that a request of `size` rows does not have.

        A waiting label of row 0 is moved to the entry of that row.
        """
        for key, entry in self._orphans(changes, request_id):
            label = entry.label
            problem = None if label is None else row_problem(label.row, size)
            if label is not None and problem is not None:
                changes.add(key, tell(entry, label, problem))
            elif entry.row == FIRST_ROW_WAITING:
                changes.changed[key] = None
                changes.add(request_id, merge_labels(changes.get(request_id), entry))

    def _orphans(self, changes: Changes, request_id: str) -> Iterator[tuple[str, JoinEntry]]:
        """Yield the rows of a request with a label that waits for a prediction."""
        for key in tuple(self._entries.rows_of(request_id)):
            entry = changes.get(key)
            if entry is not None and entry.is_orphan:
                yield key, entry


def check_readable(record: Record) -> None:
    """Check that a record does not stand for offsets that could not be read.

    Raises:
        OffsetsUnreadable: it does.
    """
    if record.value is None:
        skipped = record.header(Header.SKIPPED)
        if skipped is not None:
            raise OffsetsUnreadable(skipped[:50].decode(errors="replace"))


def _arrival_of(record: Record, newest: int | None) -> Arrival:
    key = record.key
    is_kept = key is None or len(key) <= MAX_KEY_BYTES
    kept = key if is_kept else None
    trace = sampled_parent(record.headers)
    return Arrival(
        record.offset, kept, record.timestamp, newest or 0, origin_of(record), trace=trace
    )


def _has_response(entry: JoinEntry | None) -> bool:
    return entry is not None and entry.has_response
