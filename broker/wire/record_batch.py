"""A batch of requests, with the facts about it that are computed only once."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple, Self

from modstream.broker.wire.records import Headers, Offsets, Record, first_offsets
from modstream.broker.wire.topics import PASS_THROUGH, Header

HEADERS = itemgetter(5)
"""Returns a record's headers."""
CLOUD_EVENTS_PREFIX = "ce_"


class RequestHeaders(NamedTuple):
    """The headers of a request that are used: the last value of each, and those passed through."""

    json_length: bytes | None
    deadline: bytes | None
    passed_through: Headers


def parse_headers(headers: Headers) -> RequestHeaders:
    """Parse one record's headers. Tracing, CloudEvents and reply headers are passed through."""
    values = dict(headers)
    passed = [h for h in headers if h[0] in PASS_THROUGH or h[0].startswith(CLOUD_EVENTS_PREFIX)]
    return RequestHeaders(
        values.get(Header.JSON_LENGTH), values.get(Header.DEADLINE), tuple(passed)
    )


class RecordBatch(NamedTuple):
    """The records of a batch, the parsed headers of each, and each partition's first offset."""

    records: Sequence[Record]
    headers: Sequence[RequestHeaders]
    first_offsets: Offsets

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """Build a batch from its records."""
        return cls(records, parse_all_headers(records), first_offsets(records))


def parse_all_headers(batch: Sequence[Record]) -> list[RequestHeaders]:
    """Parse the headers of each record; equal headers, as most are, are parsed once."""
    known = {headers: parse_headers(headers) for headers in set(map(HEADERS, batch))}
    if len(known) == 1:
        return list(known.values()) * len(batch)
    return list(map(known.__getitem__, map(HEADERS, batch)))
