"""A batch of requests, with the facts about it that are computed only once."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple, Self

from modstream.broker.wire.cloud_events import EVENT_HEADERS, EventHeaders, find_event
from modstream.broker.wire.record_size import bounded_headers
from modstream.broker.wire.records import Headers, Offsets, Record, first_offsets_of_topic
from modstream.broker.wire.topics import PASS_THROUGH, Header

HEADERS = itemgetter(5)
"""Returns a record's headers."""
EVENT = itemgetter(3)
"""Returns what the parsed headers of a request say of a CloudEvent."""
NO_EVENTS: Mapping[int, EventHeaders] = MappingProxyType({})


class RequestHeaders(NamedTuple):
    """The headers of a request that are used: the last value of each, and those passed through.

    Names are not case-sensitive: gateways write `Deadline`, or `Ce_Id`. `event` is set if the
    request is a CloudEvent.
    """

    json_length: bytes | None
    deadline: bytes | None
    passed_through: Headers
    event: EventHeaders | None = None


def parse_headers(headers: Headers) -> RequestHeaders:
    """Parse one record's headers; tracing and reply headers are passed through, as far as they fit.

    Those of a CloudEvent are not: its answer is an event of its own.
    """
    values: dict[str, bytes | None] = {}
    passed = []
    for header in headers:
        name = header[0].lower()
        values[name] = header[1]
        if name in PASS_THROUGH:
            passed.append(header)
    kept = bounded_headers(passed)
    event = None if EVENT_HEADERS.isdisjoint(values) else find_event(values)
    return RequestHeaders(values.get(Header.JSON_LENGTH), values.get(Header.DEADLINE), kept, event)


class RecordBatch(NamedTuple):
    """The records of one topic, the parsed headers of each, and each partition's first offset.

    `events` has the positions of the CloudEvents among them.
    """

    records: Sequence[Record]
    headers: Sequence[RequestHeaders]
    first_offsets: Offsets
    events: Mapping[int, EventHeaders] = NO_EVENTS

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """Build a batch from its records."""
        headers = parse_all_headers(records)
        return cls(records, headers, first_offsets_of_topic(records), find_events(headers))


def parse_all_headers(batch: Sequence[Record]) -> list[RequestHeaders]:
    """Parse the headers of each record; equal headers, as most are, are parsed once."""
    known = {headers: parse_headers(headers) for headers in set(map(HEADERS, batch))}
    if len(known) == 1:
        return list(known.values()) * len(batch)
    return list(map(known.__getitem__, map(HEADERS, batch)))


def find_events(headers: Sequence[RequestHeaders]) -> Mapping[int, EventHeaders]:
    """Return the CloudEvents among requests, by position."""
    events = list(map(EVENT, headers))
    if events.count(None) == len(events):
        return NO_EVENTS
    return {position: event for position, event in enumerate(events) if event is not None}
