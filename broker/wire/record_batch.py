"""A polled batch of requests, and what is found out once for all of it."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple, Self

from modstream.broker.wire.records import Headers, Offsets, Record, first_offsets
from modstream.broker.wire.topics import PASS_THROUGH, Header

HEADERS = itemgetter(5)
"""A record's headers."""
PASSED = itemgetter(2)
"""Of a record's marks, the headers that travel on."""
CLOUD_EVENTS = "ce_"


class Marks(NamedTuple):
    """The values of the headers that are read, each the last of its name, and what travels on."""

    json_length: bytes | None
    deadline: bytes | None
    passed: Headers


def marks_of(headers: Headers) -> Marks:
    """What is read of one record's headers; tracing, CloudEvents and reply address travel on."""
    values = dict(headers)
    passed = [h for h in headers if h[0] in PASS_THROUGH or h[0].startswith(CLOUD_EVENTS)]
    return Marks(values.get(Header.JSON_LENGTH), values.get(Header.DEADLINE), tuple(passed))


class Polled(NamedTuple):
    """The records, the marks of each, and the first offset in each partition."""

    records: Sequence[Record]
    marks: Sequence[Marks]
    firsts: Offsets

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """Look through the records."""
        return cls(records, all_marks(records), first_offsets(records))


def all_marks(batch: Sequence[Record]) -> list[Marks]:
    """What is read of each record's headers; of equal ones once, and most are equal."""
    known = {headers: marks_of(headers) for headers in set(map(HEADERS, batch))}
    if len(known) == 1:
        return list(known.values()) * len(batch)
    return list(map(known.__getitem__, map(HEADERS, batch)))
