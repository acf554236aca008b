"""The late-label join of one request id, as a state machine without I/O or clock.

Predictions and labels of an id arrive in any order, repeatedly, late or never::

    open ──(both sides arrived)────────> joined ───(horizon)──> dropped     Feedback
    open ──(prediction, horizon)───────> given up ─(horizon)──> dropped     Unjoined missing
    open ──(label, horizon)────────────> dropped                            Unjoined orphan

A label that meets a joined or a given-up entry is a duplicate, a revision or late. A revised label
of a joined entry is published once more as feedback with `revises` set, which corrects the
metrics. Times are event times: integer milliseconds since the epoch, UTC. A partition's offsets
order its records, so a record whose offset an entry has already seen is a replay and changes
nothing.

Delayed labels as separate events: Grzenda et al., "Delayed labelling evaluation for data
streams", Data Mining and Knowledge Discovery 34 (2020).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import AliasChoices, ConfigDict, Field, with_config

from modstream.broker.wire.contracts import (
    Feedback,
    JoinedPrediction,
    Label,
    Prediction,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.features import FeatureRow


class JoinState(StrEnum):
    """The state of the join of one id."""

    OPEN = "open"
    """One side has arrived and waits for the other."""
    JOINED = "joined"
    """Label and prediction have met; the entry is kept to recognise repeated labels."""
    GIVEN_UP = "given_up"
    """No label arrived within the horizon; the entry is kept to recognise late labels."""


class JoinCounter(StrEnum):
    """The joiner's counters: what a record, or the passing of time, did to an entry."""

    JOINED = "joined"
    MISSING = "missing"
    LATE = "late"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    REVISED = "revised"
    REPLAYED = "replayed"
    """A record, or a model's response to this request, that was processed before."""
    REFUSED = "refused"
    """A response without a prediction of a single row: an error, several rows, or tensors."""
    MALFORMED = "malformed"
    """A record that violates its topic's contract."""


class Arrival(NamedTuple):
    """A record's offset in its partition, its key, and its timestamp (ms since the epoch)."""

    offset: int
    key: bytes | None
    timestamp: int


def either(name: str, earlier_name: str) -> Any:  # noqa: ANN401 - as pydantic declares fields
    """Return a field that is read by its name, or by the name that earlier versions wrote."""
    return Field(validation_alias=AliasChoices(name, earlier_name))


@with_config(ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
@dataclass(frozen=True, slots=True)
class JoinEntry:
    """The state of one id. Features are kept until they have been published.

    `predictions` wait for the label; `joined_predictions` were published with a label and are
    kept for its revision. The offsets are those of the last prediction and label processed.
    Changelogs of earlier versions use the names that are given as second choices.
    """

    id: str
    key: bytes | None = None
    state: JoinState = JoinState.OPEN
    event_time: int | None = None
    label: Label | None = None
    predictions: tuple[JoinedPrediction, ...] = ()
    joined_predictions: Annotated[
        tuple[JoinedPrediction, ...], either("joined_predictions", "sent")
    ] = ()
    features: FeatureRow | None = None
    features_sent: Annotated[bool, either("features_sent", "features_gone")] = False
    models: tuple[str, ...] = ()
    last_prediction_offset: Annotated[int, either("last_prediction_offset", "predicted_at")] = -1
    last_label_offset: Annotated[int, either("last_label_offset", "labelled_at")] = -1


class Transition(NamedTuple):
    """An entry after an event (None: dropped), the messages to publish, and the counter."""

    entry: JoinEntry | None
    outputs: tuple[Feedback | Unjoined, ...] = ()
    counter: JoinCounter | None = None


def on_prediction(entry: JoinEntry | None, prediction: Prediction, arrival: Arrival) -> Transition:
    """Process one model's prediction; only predictions for a single row can be joined."""
    outputs = prediction.outputs
    if not isinstance(outputs, dict):
        return Transition(entry, counter=JoinCounter.REFUSED)
    before = entry or JoinEntry(prediction.id)
    is_seen = arrival.offset <= before.last_prediction_offset
    if is_seen or prediction.model in before.models:
        return Transition(before, counter=JoinCounter.REPLAYED)
    event_time = arrival.timestamp if prediction.event_time is None else prediction.event_time
    known = replace(
        before,
        key=arrival.key,
        event_time=event_time if before.event_time is None else before.event_time,
        models=(*before.models, prediction.model),
        last_prediction_offset=arrival.offset,
    )
    if before.state is JoinState.GIVEN_UP:
        return Transition(known)
    scored = JoinedPrediction.model_construct(
        model=prediction.model, version=prediction.version, outputs=outputs
    )
    features = None if before.features_sent else prediction.features or before.features
    waiting = replace(known, predictions=(*before.predictions, scored), features=features)
    if before.label is None:
        return Transition(waiting)
    return _join(waiting, None if before.state is JoinState.JOINED else JoinCounter.JOINED)


def on_label(entry: JoinEntry | None, label: Label, arrival: Arrival) -> Transition:
    """Process a label: the first one joins, waits or is late; any other repeats or revises it."""
    before = entry or JoinEntry(label.id)
    if arrival.offset <= before.last_label_offset:
        return Transition(before, counter=JoinCounter.REPLAYED)
    seen = replace(before, key=before.key or arrival.key, last_label_offset=arrival.offset)
    if before.label is not None:
        return _handle_later_label(seen, before.label, label)
    labelled = replace(seen, label=label)
    if before.state is JoinState.GIVEN_UP:
        late = _unjoined_message(labelled, UnjoinedReason.LATE, label)
        return Transition(labelled, (late,), JoinCounter.LATE)
    return _join(labelled, JoinCounter.JOINED) if before.predictions else Transition(labelled)


def expire(entry: JoinEntry, watermark: int, horizon: int) -> Transition:
    """Give an entry up, or drop it, if the watermark has passed its expiry time."""
    if watermark <= expiry_time(entry, horizon):
        return Transition(entry)
    if entry.state is not JoinState.OPEN:
        return Transition(None)
    if entry.label is not None:
        orphan = _unjoined_message(entry, UnjoinedReason.ORPHAN, entry.label)
        return Transition(None, (orphan,), JoinCounter.ORPHAN)
    given_up = replace(entry, state=JoinState.GIVEN_UP, predictions=(), features=None)
    missing = _unjoined_message(entry, UnjoinedReason.MISSING, None)
    return Transition(given_up, (missing,), JoinCounter.MISSING)


def expiry_time(entry: JoinEntry, horizon: int) -> int:
    """Return the event time (ms) after which `expire` changes this entry."""
    predicted_at = entry.event_time
    labelled_at = None if entry.label is None else entry.label.event_time
    if entry.state is JoinState.GIVEN_UP and predicted_at is not None:
        return predicted_at + 2 * horizon
    return max(time for time in (predicted_at, labelled_at) if time is not None) + horizon


def _join(entry: JoinEntry, counter: JoinCounter | None) -> Transition:
    """Publish the label with all waiting predictions; features go out with the first of them."""
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
        state=JoinState.JOINED,
        predictions=(),
        joined_predictions=(*entry.joined_predictions, *entry.predictions),
        features=None,
        features_sent=entry.features_sent or entry.features is not None,
    )
    return Transition(after, (feedback,), counter)


def _handle_later_label(entry: JoinEntry, known: Label, label: Label) -> Transition:
    """Process a label of an entry that has one: a higher revision or another value revises it."""
    is_revision = label.revision > known.revision or (
        label.revision == known.revision and label.label != known.label
    )
    reason = UnjoinedReason.REVISED if is_revision else UnjoinedReason.DUPLICATE
    after = replace(entry, label=label) if is_revision else entry
    unjoined = _unjoined_message(entry, reason, label)
    event_time = entry.event_time
    is_corrected = is_revision and entry.joined_predictions and label.label != known.label
    if not is_corrected or event_time is None:
        return Transition(after, (unjoined,), JoinCounter(reason))
    correction = Feedback.model_construct(
        id=entry.id,
        label=label.label,
        predictions=entry.joined_predictions,
        event_time=event_time,
        label_time=label.event_time,
        revises=known.label,
    )
    return Transition(after, (unjoined, correction), JoinCounter(reason))


def _unjoined_message(entry: JoinEntry, reason: UnjoinedReason, label: Label | None) -> Unjoined:
    return Unjoined.model_construct(
        id=entry.id,
        reason=reason,
        label=None if label is None else label.label,
        event_time=entry.event_time,
        label_time=None if label is None else label.event_time,
    )
