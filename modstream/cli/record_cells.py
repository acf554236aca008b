"""The columns of `modstream consume`: what a person wants to see of the records of each topic."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode, decode_response
from modstream.broker.wire.contracts import (
    ErrorResponse,
    Feedback,
    Label,
    Quarantined,
    Request,
    Unjoined,
)
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.feature_updates import read_feature_key, read_feature_value
from modstream.broker.wire.inference_record import InferenceRecord, ModelAnswer
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker
from modstream.broker.wire.records import Record
from modstream.cli.output import printable
from modstream.cli.output_text import format_value, headline
from modstream.cli.stream_table import Cells

UNITS = (("d", 86_400.0), ("h", 3600.0), ("min", 60.0))
FIELDS = ("age", "at")
"""The columns that every topic has: a record's age, and its partition and offset."""


@dataclass(frozen=True, slots=True)
class TopicColumns:
    """The columns of a topic, in the order in which they are shown; the last one has free text.

    `priority` is the order of their importance.
    """

    read: Callable[[Record], Iterator[tuple[str, object]]]
    columns: tuple[str, ...]
    priority: tuple[str, ...]


def record_cells(columns: TopicColumns, record: Record, now: float) -> Cells:
    """Return the cells of a record; `now` is in seconds since the epoch.

    A record that violates its contract has its key, and the reason in the last column.
    """
    try:
        found = {name: _text(value) for name, value in columns.read(record) if value is not None}
    except DecodeError as error:
        key = (record.key or b"").decode(errors="replace")
        found = {columns.priority[0]: printable(key), columns.columns[-1]: f"unreadable: {error}"}
    found["age"] = format_age(now - record.timestamp / 1000)
    found["at"] = f"{record.partition}:{record.offset}"
    return found


def format_age(seconds: float) -> str:
    """Return an age in its largest unit; a clock that differs can make it negative."""
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _text(value: object) -> str:
    return printable(value) if isinstance(value, str) else format_value(value)


def _request(record: Record) -> Iterator[tuple[str, object]]:
    request = decode(Request, record.value)
    yield "id", request.id
    model = request.model or "route"
    yield "model", model if request.version == "champion" else f"{model}/{request.version}"
    yield "features", headline(request.features if request.inputs is None else request.inputs)


def _response(record: Record) -> Iterator[tuple[str, object]]:
    response = decode_response(record)
    yield "id", response.id
    yield "model", response.model
    if isinstance(response, ErrorResponse):
        yield "output", f"refused: {response.message} ({response.code})"
    else:
        yield "version", str(response.version)
        yield "output", headline(response.outputs)


def _label(record: Record) -> Iterator[tuple[str, object]]:
    label = decode(Label, record.value)
    yield from (("id", label.id), ("row", label.row), ("label", label.label))
    yield "revision", label.revision or None


def _feedback(record: Record) -> Iterator[tuple[str, object]]:
    feedback = decode(Feedback, record.value)
    yield from (("id", feedback.id), ("row", feedback.row), ("label", feedback.label))
    yield "revises", feedback.revises
    made = (f"{one.model}/{one.version} {headline(one.outputs)}" for one in feedback.predictions)
    yield "predictions", "; ".join(made)


def _unjoined(record: Record) -> Iterator[tuple[str, object]]:
    message = decode(Unjoined, record.value)
    yield from (("id", message.id), ("row", message.row), ("label", message.label))
    detail = f": {message.detail}" if message.detail else ""
    yield "reason", f"{message.reason.value}{detail}"


def _quarantined(record: Record) -> Iterator[tuple[str, object]]:
    row = decode(Quarantined, record.value)
    yield from (("id", row.id), ("model", row.model), ("rule", row.rule), ("detail", row.detail))


def _dead_letter(record: Record) -> Iterator[tuple[str, object]]:
    cause = read_cause(record)
    yield "key", (record.key or b"").decode(errors="replace")
    yield "cause", cause.get("class.name")
    yield "message", cause.get("exception.message")


def _metrics(record: Record) -> Iterator[tuple[str, object]]:
    metrics = decode(Metrics, record.value)
    yield from (("kind", metrics.kind), ("model", metrics.model))
    yield "version", None if metrics.version is None else str(metrics.version)
    yield "values", metrics.values


def _version_marker(record: Record) -> Iterator[tuple[str, object]]:
    marker = decode(VersionMarker, record.value)
    yield from (("model", marker.model), ("version", str(marker.version)), ("ref", str(marker.ref)))
    yield "from", f"{marker.source.partition}:{marker.source.offset}"


def _feature_update(record: Record) -> Iterator[tuple[str, object]]:
    owner, *rest = read_feature_key(record.key)
    aggregation, group, number = [*rest, *[None] * (3 - len(rest))][:3]
    yield from (("owner", owner), ("aggregation", aggregation), ("slice", number))
    yield "group", None if group is None else ", ".join(map(str, group)) or "all"
    yield "value", read_feature_value(record.value)


def _inference(record: Record) -> Iterator[tuple[str, object]]:
    found = decode(InferenceRecord, record.value)
    yield from (("id", found.id), ("outcome", found.outcome.value))
    yield "answers", "; ".join(map(_answer, found.answers))


def _answer(answer: ModelAnswer) -> str:
    model = answer.model if answer.version is None else f"{answer.model}/{answer.version}"
    parts = (model, answer.code or (None if model else answer.outcome.value))
    return " ".join(part for part in parts if part)


def _model_event(record: Record) -> Iterator[tuple[str, object]]:
    event = decode(ModelEvent, record.value)
    yield from (("model", event.model), ("version", str(event.version)), ("action", event.action))
    yield from (("alias", event.alias), ("reason", event.reason or None))


def _columns(
    read: Callable[[Record], Iterator[tuple[str, object]]], shown: str, priority: str = ""
) -> TopicColumns:
    """Return columns: those named first, age and position, and the last one of `shown`."""
    *first, last = shown.split()
    columns = (*first, *FIELDS, last)
    important = priority.split() or [first[0], last, *first[1:]]
    return TopicColumns(read, columns, (*important, *FIELDS))


COLUMNS: Mapping[str, TopicColumns] = {
    "requests": _columns(_request, "id model features"),
    "predictions": _columns(_response, "id model version output", "id output version model"),
    "labels": _columns(_label, "id row revision label"),
    "feedback": _columns(_feedback, "id row label revises predictions"),
    "unjoined": _columns(_unjoined, "id row label reason"),
    "quarantine": _columns(_quarantined, "id model rule detail", "id rule detail model"),
    "dlq": _columns(_dead_letter, "key cause message"),
    "metrics": _columns(_metrics, "kind model version values"),
    "version_markers": _columns(_version_marker, "model version ref from"),
    "features": _columns(_feature_update, "owner aggregation group slice value"),
    "inferences": _columns(_inference, "id outcome answers"),
    "model_events": _columns(_model_event, "model version action alias reason"),
}
"""The columns of each topic of a stream, by the name of its property in `Topics`."""
