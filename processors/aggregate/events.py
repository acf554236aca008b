"""Records as the events that features aggregate: requests, labels, and further topics."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.features import expand_rows
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.features.definition import KEY, SourceDefinition
from modstream.processors.features.events import LABELS, REQUESTS, Event
from modstream.processors.features.feature_set import FeatureSet


class AnsweredRequest(Struct, frozen=True, gc=False):
    """What is read of a prediction: the request's rows, which only the primary's has."""

    id: str
    features: Any = None
    event_time: int | None = None


class LabelledRow(Struct, frozen=True, gc=False):
    """What is read of feedback. A record with `revises` corrects one that was counted before."""

    id: str
    label: Any
    event_time: int
    label_time: int
    row: int | None = None
    features: dict[str, Any] | None = None
    revises: Any = None


PREDICTIONS = msgspec.json.Decoder(AnsweredRequest)
FEEDBACK = msgspec.json.Decoder(LabelledRow)
OBJECTS = msgspec.json.Decoder(dict[str, Any])
Decode = Callable[[Record], Iterator[Event]]


class EventDecoder:
    """Decodes the records of the topics from which a stream's features are computed."""

    def __init__(self, topics: Topics, features: FeatureSet) -> None:
        self._decoders: dict[str, Decode] = {}
        self.unreadable = 0
        """The number of records that have no event because they could not be read."""
        needed = features.event_sources
        self._aggregations = features.aggregations
        self._sources = {topics.predictions: REQUESTS, topics.feedback: LABELS}
        self._sources |= {one.topic: name for name, one in features.sources.items()}
        by_key = KEY in features.request_fields
        if REQUESTS in needed:
            self._decoders[topics.predictions] = _with_keys(answered_requests, by_key)
        if LABELS in needed:
            self._decoders[topics.feedback] = _with_keys(labelled_rows, by_key)
        for name in sorted(needed & features.sources.keys()):
            source = features.sources[name]
            self._decoders[source.topic] = source_decoder(name, source)

    @property
    def topics(self) -> Sequence[str]:
        """The topics to read."""
        return tuple(self._decoders)

    def fed_by(self, topic: str) -> list[str]:
        """Return the ids of the aggregations that count records of a topic."""
        source = self._sources[topic]
        return [
            name
            for name, one in self._aggregations.items()
            if source == one.source or (one.due is not None and source == REQUESTS)
        ]

    def decode(self, record: Record) -> list[Event]:
        """Return the events of a record; a record that cannot be read has none, and is counted."""
        try:
            return list(self._decoders[record.topic](record))
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            self.unreadable += 1
            return []


def answered_requests(record: Record) -> Iterator[Event]:
    """Yield an event for each row of a request, from the prediction that has its features."""
    if record.value is None or record.header(Header.KIND) != KIND_PREDICTION:
        return
    found = PREDICTIONS.decode(record.value)
    if found.features is None:
        return
    time = record.timestamp if found.event_time is None else found.event_time
    rows = expand_rows(found.features)
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("the features are not rows")
    for number, row in enumerate(rows):
        yield Event(REQUESTS, time, row_key(found.id, number), row)


def labelled_rows(record: Record) -> Iterator[Event]:
    """Yield the event of a label, unless it only corrects an earlier one."""
    if record.value is None:
        return
    found = FEEDBACK.decode(record.value)
    if found.features is None or found.revises is not None:
        return
    name = row_key(found.id, found.row)
    yield Event(LABELS, found.label_time, name, found.features, found.label, found.event_time)


def _with_keys(decode: Decode, by_key: bool) -> Decode:  # noqa: FBT001 - it chooses a function
    """Return a decoder whose events have the key of their record as a field, if it is needed."""
    if not by_key:
        return decode

    def run(record: Record) -> Iterator[Event]:
        key = key_text(record.key)
        for event in decode(record):
            yield replace(event, fields={**event.fields, KEY: key})

    return run


def key_text(key: bytes | None) -> str | None:
    """Return the key of a record as the text of a group; None if it has none."""
    return None if key is None else key.decode(errors="backslashreplace")


def source_decoder(name: str, source: SourceDefinition) -> Decode:
    """Return the decoder of a further topic of JSON objects."""

    def decode(record: Record) -> Iterator[Event]:
        if record.value is None:
            return
        fields = OBJECTS.decode(record.value)
        time = record.timestamp if source.time is None else _time_of(fields, source.time)
        event_id = record.position if source.id is None else str(fields.get(source.id))
        asked = None if source.request_time is None else _time_of(fields, source.request_time)
        yield Event(name, time, event_id, fields, request_time=asked)

    return decode


def _time_of(fields: Mapping[str, Any], name: str) -> int:
    """Return the event time in ms.

    Raises:
        ValueError: the field has none.
    """
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a time in ms")  # noqa: TRY004 - one error for all faults
    return int(value)
