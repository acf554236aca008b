"""The late-label join of one request id, as a state machine without I/O or clock.

Predictions and labels of an id come in any order, twice, late or never::

    open ──(both sides are there)──────> joined ───(horizon)──> dropped     Feedback
    open ──(prediction, horizon)───────> given up ─(horizon)──> dropped     Unjoined missing
    open ──(label, horizon)────────────> dropped                            Unjoined orphan

A label that meets a joined or a given-up entry is a duplicate, a revision or late. A revision of
what was joined goes out once more as feedback that `revises`, to correct the figures. Times are
event times: integer milliseconds since the epoch, UTC. A partition's offsets order its records,
so a record whose offset an entry has already seen is a replay and changes nothing.

Delayed labels as events of their own: Grzenda et al., "Delayed labelling evaluation for data
streams", Data Mining and Knowledge Discovery 34 (2020).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from pydantic import ConfigDict, with_config

from modstream.broker.wire.contracts import (
    Feedback,
    Label,
    Prediction,
    Scored,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.features import Row


class State(StrEnum):
    """How far the join of one id has come."""

    OPEN = "open"
    """One side is there and waits for the other."""
    JOINED = "joined"
    """Label and prediction have met; kept to tell repeated labels."""
    GIVEN_UP = "given_up"
    """The label had not come by the horizon; kept to tell late labels."""


class Count(StrEnum):
    """What a record, or the passing of time, did to an entry; the joiner's counters."""

    JOINED = "joined"
    MISSING = "missing"
    LATE = "late"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    REVISED = "revised"
    REPLAYED = "replayed"
    """A record, or a model's answer to this request, that had been seen before."""
    REFUSED = "refused"
    """An answer that holds no prediction of a single row: a typed error, several rows, tensors."""
    MALFORMED = "malformed"
    """A record that breaks its topic's contract."""


class Arrival(NamedTuple):
    """Where a record lies in its partition, its key, and when it was made (ms, epoch)."""

    offset: int
    key: bytes | None
    timestamp: int


@with_config(ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one id. Features are held until they have travelled.

    `predictions` wait for the label; `sent` have met it and are kept for its revision.
    """

    id: str
    key: bytes | None = None
    state: State = State.OPEN
    event_time: int | None = None
    label: Label | None = None
    predictions: tuple[Scored, ...] = ()
    sent: tuple[Scored, ...] = ()
    features: Row | None = None
    features_gone: bool = False
    models: tuple[str, ...] = ()
    predicted_at: int = -1
    labelled_at: int = -1


class Step(NamedTuple):
    """An entry after an event (None: dropped), the messages that go out, and the counter."""

    entry: Entry | None
    outputs: tuple[Feedback | Unjoined, ...] = ()
    counted: Count | None = None


def on_prediction(entry: Entry | None, prediction: Prediction, arrival: Arrival) -> Step:
    """Take one model's answer to a request; only answers for a single row can be joined."""
    outputs = prediction.outputs
    if not isinstance(outputs, dict):
        return Step(entry, counted=Count.REFUSED)
    before = entry or Entry(prediction.id)
    if arrival.offset <= before.predicted_at or prediction.model in before.models:
        return Step(before, counted=Count.REPLAYED)
    asked_at = arrival.timestamp if prediction.event_time is None else prediction.event_time
    known = replace(
        before,
        key=arrival.key,
        event_time=asked_at if before.event_time is None else before.event_time,
        models=(*before.models, prediction.model),
        predicted_at=arrival.offset,
    )
    if before.state is State.GIVEN_UP:
        return Step(known)
    scored = Scored.model_construct(
        model=prediction.model, version=prediction.version, outputs=outputs
    )
    features = None if before.features_gone else prediction.features or before.features
    held = replace(known, predictions=(*before.predictions, scored), features=features)
    if before.label is None:
        return Step(held)
    return _joined(held, None if before.state is State.JOINED else Count.JOINED)


def on_label(entry: Entry | None, label: Label, arrival: Arrival) -> Step:
    """Take a label: the first one joins, waits or is late, any other repeats or revises it."""
    before = entry or Entry(label.id)
    if arrival.offset <= before.labelled_at:
        return Step(before, counted=Count.REPLAYED)
    seen = replace(before, key=before.key or arrival.key, labelled_at=arrival.offset)
    if before.label is not None:
        return _repeated(seen, before.label, label)
    labelled = replace(seen, label=label)
    if before.state is State.GIVEN_UP:
        return Step(labelled, (_unjoined(labelled, UnjoinedReason.LATE, label),), Count.LATE)
    return _joined(labelled, Count.JOINED) if before.predictions else Step(labelled)


def expire(entry: Entry, watermark: int, horizon: int) -> Step:
    """Do what the passing of event time asks for: give up, or drop what has served its time."""
    if watermark <= due(entry, horizon):
        return Step(entry)
    if entry.state is not State.OPEN:
        return Step(None)
    if entry.label is not None:
        return Step(None, (_unjoined(entry, UnjoinedReason.ORPHAN, entry.label),), Count.ORPHAN)
    given_up = replace(entry, state=State.GIVEN_UP, predictions=(), features=None)
    return Step(given_up, (_unjoined(entry, UnjoinedReason.MISSING, None),), Count.MISSING)


def due(entry: Entry, horizon: int) -> int:
    """The event time after which `expire` has something to do for this entry."""
    asked_at = entry.event_time
    labelled_at = None if entry.label is None else entry.label.event_time
    if entry.state is State.GIVEN_UP and asked_at is not None:
        return asked_at + 2 * horizon
    return max(time for time in (asked_at, labelled_at) if time is not None) + horizon


def _joined(entry: Entry, count: Count | None) -> Step:
    """Send the label with every prediction held; the features go once, with the first of them."""
    label, event_time = entry.label, entry.event_time
    if label is None or event_time is None:
        raise ValueError(f"{entry.id} has only one side to join")
    feedback = Feedback.model_construct(
        id=entry.id,
        label=label.label,
        features=entry.features,
        predictions=entry.predictions,
        event_time=event_time,
        label_time=label.event_time,
    )
    after = replace(
        entry,
        state=State.JOINED,
        predictions=(),
        sent=(*entry.sent, *entry.predictions),
        features=None,
        features_gone=entry.features_gone or entry.features is not None,
    )
    return Step(after, (feedback,), count)


def _repeated(entry: Entry, known: Label, label: Label) -> Step:
    """A label where one is known: news with a higher revision, or the same with another value."""
    news = label.revision > known.revision or (
        label.revision == known.revision and label.label != known.label
    )
    reason = UnjoinedReason.REVISED if news else UnjoinedReason.DUPLICATE
    after = replace(entry, label=label) if news else entry
    told = _unjoined(entry, reason, label)
    asked_at = entry.event_time
    if not news or not entry.sent or asked_at is None or label.label == known.label:
        return Step(after, (told,), Count(reason))
    correction = Feedback.model_construct(
        id=entry.id,
        label=label.label,
        predictions=entry.sent,
        event_time=asked_at,
        label_time=label.event_time,
        revises=known.label,
    )
    return Step(after, (told, correction), Count(reason))


def _unjoined(entry: Entry, reason: UnjoinedReason, label: Label | None) -> Unjoined:
    return Unjoined.model_construct(
        id=entry.id,
        reason=reason,
        label=None if label is None else label.label,
        event_time=entry.event_time,
        label_time=None if label is None else label.event_time,
    )
