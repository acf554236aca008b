"""Builds the story of one request from its collected records. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modstream.broker.errors import DecodeError
from modstream.broker.wire.contracts import ErrorResponse, Prediction, Request, SourcePosition
from modstream.broker.wire.dead_letters import read_attempts, read_cause
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.operations.trace.collector import Decoded, RecordCollector
from modstream.operations.trace.effect import learning_outcomes, score_predictions
from modstream.operations.trace.facts import (
    DeadLetterEntry,
    FeedbackEntry,
    LabelEntry,
    RequestEntry,
    RequestStory,
    ResponseEntry,
    UnjoinedEntry,
    VersionMarkerEntry,
)


@dataclass(frozen=True, slots=True)
class StoryContext:
    """What else a story needs: other records, in the order of their topics, and all classes."""

    events: Sequence[ModelEvent] = ()
    version_markers: Sequence[VersionMarker] = ()
    metrics: Sequence[Metrics] = ()
    versions: VersionClasses = field(default_factory=VersionClasses)


def build_story(collector: RecordCollector, context: StoryContext) -> RequestStory:
    """Build the story of the collected records."""
    return RequestStory(
        id=collector.id,
        label_status=describe_label_status(collector),
        requests=tuple(_request_entry(decoded) for decoded in collector.requests),
        responses=tuple(_response_entries(collector, context)),
        dead_letters=tuple(
            DeadLetterEntry(
                record.position, record.timestamp, read_attempts(record), read_cause(record)
            )
            for record in collector.dead_letters
        ),
        labels=tuple(
            LabelEntry(
                record.position,
                record.timestamp,
                message.label,
                message.revision,
                message.event_time,
                message.row,
            )
            for record, message in collector.labels
        ),
        feedback=_feedback_entries(collector, context),
        unjoined=tuple(
            UnjoinedEntry(
                record.position,
                record.timestamp,
                message.reason.value,
                message.label,
                message.row,
            )
            for record, message in collector.unjoined
        ),
    )


def describe_label_status(collector: RecordCollector) -> str:
    """Return the outcome of the label in a few words."""
    if collector.feedback:
        return "joined"
    if collector.unjoined:
        return f"not joined: {collector.unjoined[-1].message.reason.value}"
    return "label not joined yet" if collector.labels else "no label yet"


def markers_in_effect(
    markers: Iterable[VersionMarker], source: SourcePosition
) -> tuple[VersionMarkerEntry, ...]:
    """Return the version markers in effect at a position: the last one of each model and ref."""
    last: dict[tuple[str, int | str], VersionMarker] = {}
    partition = source.topic, source.partition
    before = [
        marker
        for marker in markers
        if (marker.source.topic, marker.source.partition) == partition
        and marker.source.offset <= source.offset
    ]
    for marker in sorted(before, key=lambda marker: marker.source.offset):
        last[marker.model, marker.ref] = marker
    return tuple(map(version_marker_entry, last.values()))


def version_marker_entry(marker: VersionMarker) -> VersionMarkerEntry:
    """Return a version marker as an entry of a story."""
    return VersionMarkerEntry(
        source=format_position(marker.source),
        model=marker.model,
        ref=marker.ref,
        version=marker.version,
        sha256=marker.sha256,
        parent=marker.parent,
    )


def format_position(source: SourcePosition) -> str:
    """Return a position as `topic:partition:offset`."""
    return f"{source.topic}:{source.partition}:{source.offset}"


def _request_entry(decoded: Decoded[Request | DecodeError]) -> RequestEntry:
    record, message = decoded
    entry = RequestEntry(
        position=record.position,
        timestamp=record.timestamp,
        key=None if record.key is None else record.key.decode(errors="replace"),
        attempts=read_attempts(record),
        redrive_of=_decode_header(record, Header.REDRIVE_OF),
    )
    if isinstance(message, DecodeError):
        return replace(entry, decode_error=str(message))
    return replace(
        entry,
        model=message.model,
        ref=message.version,
        event_time=message.event_time,
        features=message.features or _to_plain(message.inputs),
    )


def _response_entries(collector: RecordCollector, context: StoryContext) -> Iterator[ResponseEntry]:
    """Return each response, with its artifact from the version marker, else from the event."""
    refs = {
        record.position: message.version
        for record, message in collector.requests
        if isinstance(message, Request)
    }
    published = {
        (event.model, event.version): event for event in context.events if event.action == "publish"
    }
    for record, message in collector.responses:
        source = format_position(message.source)
        entry = ResponseEntry(
            record.position, record.timestamp, source, message.model, refs.get(source)
        )
        if isinstance(message, ErrorResponse):
            yield replace(entry, error=message.code, message=message.message)
            continue
        marker = _find_marker(context, message, refs.get(source))
        origin = marker or published.get((message.model, message.version))
        yield replace(
            entry,
            version=message.version,
            outputs=_to_plain(message.outputs),
            sha256=origin.sha256 if origin else None,
            parent=origin.parent if origin else None,
            version_marker=marker.source if marker else None,
        )


def _find_marker(
    context: StoryContext, message: Prediction, ref: int | str | None
) -> VersionMarkerEntry | None:
    """Return the version marker in effect at a prediction, if it has the same version."""
    key = message.model, ref, message.version
    here = markers_in_effect(context.version_markers, message.source)
    return next((one for one in here if (one.model, one.ref, one.version) == key), None)


def _feedback_entries(
    collector: RecordCollector, context: StoryContext
) -> tuple[FeedbackEntry, ...]:
    found: list[FeedbackEntry] = []
    learned: set[str] = set()
    for feedback in sorted(collector.feedback, key=lambda feedback: feedback.record.offset):
        record, message = feedback
        row = row_key(message.id, message.row)
        found.append(
            FeedbackEntry(
                position=record.position,
                timestamp=record.timestamp,
                label=message.label,
                scores=score_predictions(feedback, context.metrics, context.versions),
                learning=learning_outcomes(
                    feedback, context.events, collector.quarantined, is_repeated=row in learned
                ),
                row=message.row,
            )
        )
        if message.features is not None:
            learned.add(row)
    return tuple(found)


def _to_plain(value: Any) -> Any:  # noqa: ANN401 - rows, tensors or nothing
    """Return outputs or inputs as plain JSON values."""
    if isinstance(value, tuple):
        return [_to_plain(one) for one in value]
    return value.model_dump() if hasattr(value, "model_dump") else value


def _decode_header(record: Record, header: str) -> str | None:
    value = record.header(header)
    return None if value is None else value.decode(errors="replace")
