"""The late-label join of one row of a request, as a state machine without I/O or clock.

Predictions and labels of a row arrive in any order, repeatedly, late or never::

    open ──(both sides arrived)────────> joined ───(horizon)──> dropped     Feedback
    open ──(prediction, horizon)───────> given up ─(horizon)──> dropped     Unjoined missing
    open ──(label, horizon)────────────> dropped                            Unjoined orphan
    open ──(too many entries)──────────> dropped                            Unjoined, evicted

A label that meets a joined or a given-up entry is a duplicate, a revision or late. A revised label
of a joined entry is published once more as feedback with `revises` set, which corrects the
metrics. A label that meets a response with which it can't be joined is told at once: an Unjoined
message with the reason. Times are event times: integer milliseconds since the epoch, UTC. A
partition's offsets order its records, so a record whose offset an entry has already seen is a
replay and changes nothing.

Delayed labels as separate events: Grzenda et al., "Delayed labelling evaluation for data
streams", Data Mining and Knowledge Discovery 34 (2020).
"""

from dataclasses import replace
from sys import intern
from typing import Any

from modstream.broker.wire.contracts import (
    Feedback,
    Label,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.features import JsonScalar
from modstream.processors.join.answers import Unlabellable
from modstream.processors.join.entry import (
    FirstPosition,
    HeldLabel,
    JoinEntry,
    JoinState,
    expiry_time,
)
from modstream.processors.join.transitions import Arrival, JoinCounter, RowPrediction, Transition

MAX_MODELS = 64
"""Maximum number of models whose predictions of one row are joined."""
LABEL_BYTES = 16
"""Estimated size of a label that is not a text."""
MAX_INTERNED_LENGTH = 64
"""Texts of labels up to this length are kept once, however many labels have them."""


def on_prediction(
    entry: JoinEntry | None, prediction: RowPrediction, arrival: Arrival
) -> Transition:
    """Process one model's prediction of one row."""
    before = entry or JoinEntry(prediction.id, row=prediction.row)
    model = prediction.scored.model
    if arrival.offset <= before.last_prediction_offset or model in before.models:
        return Transition(entry, counter=JoinCounter.REPLAYED)
    is_final = before.unlabellable is not None and before.unlabellable.is_final
    if is_final or len(before.models) >= MAX_MODELS:
        return Transition(entry, counter=JoinCounter.REFUSED)
    changed: dict[str, Any] = {
        **_answered(before, prediction.event_time, arrival, is_first=not before.models),
        "rows": prediction.rows,
        "models": (*before.models, intern(model)),
        "unlabellable": None,
        "last_prediction_offset": arrival.offset,
    }
    if before.state is JoinState.GIVEN_UP:
        return Transition(replace(before, **changed))
    changed["predictions"] = (*before.predictions, prediction.scored)
    changed["features"] = None if before.features_sent else prediction.features or before.features
    changed["size"] = before.size + prediction.size
    if entry is None:
        return Transition(JoinEntry(prediction.id, row=prediction.row, **changed))
    waiting = replace(before, **changed)
    if before.label is None:
        return Transition(waiting)
    return _join(waiting, None if before.state is JoinState.JOINED else JoinCounter.JOINED)


def on_unlabellable(
    entry: JoinEntry | None,
    request_id: str,
    problem: Unlabellable,
    event_time: int | None,
    arrival: Arrival,
) -> Transition:
    """Process a response whose rows cannot be labelled; `entry` is that of the first row.

    Its labels are told by `tell`. The response of another model may still be joined with them,
    unless the problem is final.
    """
    before = entry or JoinEntry(request_id)
    has_predictions = bool(before.predictions) and not problem.is_final
    if before.state is not JoinState.OPEN or has_predictions:
        return Transition(entry, counter=JoinCounter.REFUSED)
    is_first = before.event_time is None
    marked = replace(
        before,
        **_answered(before, event_time, arrival, is_first=is_first),
        rows=problem.rows or before.rows,
        predictions=(),
        features=None,
        unlabellable=problem,
        size=len(problem.detail) + (_label_size(before.label.value) if before.label else 0),
    )
    return Transition(marked, counter=JoinCounter.REFUSED)


def on_label(
    entry: JoinEntry | None, label: Label, arrival: Arrival, row: int | None = None
) -> Transition:
    """Process a label: the first one joins, waits or is late; any other repeats or revises it.

    `row` is that of the entry, if it is not the label's.
    """
    row = label.row or 0 if row is None else row
    before = entry or JoinEntry(label.id, row=row)
    if arrival.offset <= before.last_label_offset or _is_repeated(before.label_origin, arrival):
        return Transition(entry, counter=JoinCounter.REPLAYED)
    key = arrival.key if before.key is None and not before.models else before.key
    seen: dict[str, Any] = {
        "key": _kept_key(key, label.id),
        "last_label_offset": arrival.offset,
        "label_origin": arrival.origin or before.label_origin,
    }
    held = held_label(label, arrival)
    if before.label is not None:
        return _handle_later_label(replace(before, **seen), before.label, held)
    size = before.size + _label_size(held.value)
    if entry is None:
        return Transition(JoinEntry(label.id, row=row, label=held, size=size, **seen))
    labelled = replace(before, label=held, size=size, **seen)
    if before.state is JoinState.GIVEN_UP:
        late = unjoined_message(labelled, UnjoinedReason.LATE, held)
        return Transition(labelled, (late,), JoinCounter.LATE)
    return _join(labelled, JoinCounter.JOINED) if before.predictions else Transition(labelled)


def merge_labels(entry: JoinEntry | None, first_row: JoinEntry) -> Transition:
    """Move the label of row 0 to the entry of that row, now that the request has a response.

    If that has a label without a row number, the one that arrived later repeats or revises the
    other.
    """
    moved = replace(first_row, row=0)
    if entry is None or entry.label is None or moved.label is None:
        return Transition(moved)
    earlier, later = sorted((entry, moved), key=lambda one: one.last_label_offset)
    if earlier.label is None or later.label is None:
        return Transition(later)
    offset = later.last_label_offset
    origin = later.label_origin or earlier.label_origin
    kept = replace(earlier, last_label_offset=offset, label_origin=origin)
    return _handle_later_label(kept, earlier.label, later.label)


def held_label(label: Label, arrival: Arrival) -> HeldLabel:
    """Return what is kept of a label.

    Its horizon counts from its event time, or from the newest event time of its arrival if that is
    later: the label of an old event may be read a moment before its prediction.
    """
    value = label.label
    if isinstance(value, str) and len(value) <= MAX_INTERNED_LENGTH:
        value = intern(value)
    due_from = max(arrival.bound(label.event_time), arrival.now)
    return HeldLabel(
        value,
        label.event_time,
        label.revision,
        label.row,
        None if due_from == label.event_time else due_from,
        arrival.trace,
    )


def tell(entry: JoinEntry, label: HeldLabel, problem: Unlabellable) -> Transition:
    """Publish why a label cannot be joined, and keep the entry without it.

    An entry that held nothing but the label is dropped.
    """
    message = unjoined_message(entry, problem.reason, label, problem.detail)
    is_empty = not entry.models and entry.unlabellable is None
    after = None if is_empty else replace(entry, label=None)
    return Transition(after, (message,), JoinCounter.UNLABELLABLE)


def expire(entry: JoinEntry, watermark: int, horizon: int) -> Transition:
    """Give an entry up, or drop it, if the watermark has passed its expiry time."""
    if watermark <= expiry_time(entry, horizon):
        return Transition(entry)
    if not entry.is_open:
        return _drop(entry)
    if entry.label is not None:
        orphan = unjoined_message(entry, UnjoinedReason.ORPHAN, entry.label)
        return Transition(None, (orphan,), JoinCounter.ORPHAN)
    given_up = replace(entry, state=JoinState.GIVEN_UP, predictions=(), features=None, size=0)
    missing = unjoined_message(entry, UnjoinedReason.MISSING, None)
    return Transition(given_up, (missing,), JoinCounter.MISSING)


def evict(entry: JoinEntry, detail: str) -> Transition:
    """Drop an entry before its time, because there are too many."""
    if not entry.is_open:
        return _drop(entry)
    if entry.label is not None:
        orphan = unjoined_message(entry, UnjoinedReason.ORPHAN, entry.label, detail)
        return Transition(None, (orphan,), JoinCounter.ORPHAN)
    missing = unjoined_message(entry, UnjoinedReason.MISSING, None, detail)
    return Transition(None, (missing,), JoinCounter.MISSING)


def _drop(entry: JoinEntry) -> Transition:
    """Drop an entry that waits for nothing; a label that was not told yet is told."""
    if entry.unlabellable is None or entry.label is None:
        return Transition(None)
    return tell(entry, entry.label, entry.unlabellable)._replace(entry=None)


def unjoined_message(
    entry: JoinEntry, reason: UnjoinedReason, label: HeldLabel | None, detail: str | None = None
) -> Unjoined:
    """Return the message about a label or, without one, about a prediction."""
    has_rows = entry.rows is not None and entry.rows > 1
    return Unjoined.model_construct(
        id=entry.id,
        row=(entry.row if has_rows else None) if label is None else label.row,
        reason=reason,
        detail=detail,
        label=None if label is None else label.value,
        event_time=entry.event_time,
        label_time=None if label is None else label.event_time,
    )


def _answered(
    entry: JoinEntry, event_time: int | None, arrival: Arrival, *, is_first: bool
) -> dict[str, Any]:
    """Return what every response changes: the key; and what only the first one changes."""
    key = _kept_key(arrival.key, entry.id)
    if not is_first:
        return {"key": key}
    time = arrival.timestamp if event_time is None else event_time
    due_from = arrival.bound(time)
    return {
        "key": key,
        "event_time": time,
        "due_from": None if due_from == time else due_from,
        "trace": arrival.trace,
    }


def _kept_key(key: bytes | None, request_id: str) -> bytes | None:
    """Return a key as it is kept: None stands for the id, which is the key by default."""
    return None if key is None or key == request_id.encode() else key


def _is_repeated(last: FirstPosition | None, arrival: Arrival) -> bool:
    """Return whether a label was forwarded twice, as by a joiner that was killed in between."""
    origin = arrival.origin
    if last is None or origin is None:
        return False
    return origin.partition == last.partition and origin.offset <= last.offset


def _label_size(value: JsonScalar) -> int:
    return len(value) if isinstance(value, str) else LABEL_BYTES


def _join(entry: JoinEntry, counter: JoinCounter | None) -> Transition:
    """Publish the label with all waiting predictions; features go out with the first of them."""
    label, event_time = entry.label, entry.event_time
    if label is None or event_time is None:
        raise ValueError(f"{entry.id} has only one side to join")
    feedback = Feedback.model_construct(
        id=entry.id,
        row=label.row,
        label=label.value,
        features=entry.features,
        predictions=entry.predictions,
        event_time=event_time,
        label_time=label.event_time,
    )
    after = replace(
        entry,
        state=JoinState.JOINED,
        predictions=(),
        joined_predictions=(*entry.joined_predictions, *entry.predictions),
        features=None,
        features_sent=entry.features_sent or entry.features is not None,
    )
    return Transition(after, (feedback,), counter)


def _handle_later_label(entry: JoinEntry, known: HeldLabel, label: HeldLabel) -> Transition:
    """Process a label of an entry that has one: a higher revision or another value revises it."""
    is_revision = label.revision > known.revision or (
        label.revision == known.revision and label.value != known.value
    )
    reason = UnjoinedReason.REVISED if is_revision else UnjoinedReason.DUPLICATE
    after = replace(entry, label=label) if is_revision else entry
    unjoined = unjoined_message(entry, reason, label)
    event_time = entry.event_time
    is_corrected = is_revision and entry.joined_predictions and label.value != known.value
    if not is_corrected or event_time is None:
        return Transition(after, (unjoined,), JoinCounter(reason))
    correction = Feedback.model_construct(
        id=entry.id,
        row=label.row,
        label=label.value,
        predictions=entry.joined_predictions,
        event_time=event_time,
        label_time=label.event_time,
        revises=known.value,
    )
    return Transition(after, (unjoined, correction), JoinCounter(reason))
