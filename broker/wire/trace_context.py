"""Trace context in the headers of records: https://www.w3.org/TR/trace-context/."""

import re
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from modstream.broker.wire.records import Headers, Record

TRACE_PARENT = "traceparent"
"""Header with the ids of a trace and of the span that sent a record."""
TRACE_STATE = "tracestate"
"""Header with what tracing systems add to it."""
PARENT_LENGTH = 55
"""Length of the fields that all versions of `traceparent` have."""
SAMPLED = 1
PARENT = re.compile(
    rb"(?:00(?=.{53}\Z)|(?!00|ff)[0-9a-f]{2})"
    rb"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?",
    re.DOTALL,
)
ODD_DIGITS = b"13579bdf"
"""The last digits of flags that say that a request is sampled."""
ODD_DIGIT = re.compile(rb"[%b]" % ODD_DIGITS)
CANONICAL = re.compile(rb"(?:00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})*")
"""Many values of version 00, one behind the other, whose ids may be zero."""
ZERO_IDS = (b"-%b-" % (b"0" * 32), b"-%b-" % (b"0" * 16))
HEADERS = itemgetter(5)
"""Returns a record's headers."""


class TraceParent(NamedTuple):
    """A valid `traceparent`; the ids are lower-case hexadecimal digits."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parse_trace_parent(value: bytes | None) -> TraceParent | None:
    """Return what a value of `traceparent` says; None if it is absent or invalid."""
    found = None if value is None else PARENT.fullmatch(value)
    if found is None:
        return None
    return TraceParent(found[1].decode(), found[2].decode(), bool(int(found[3], 16) & SAMPLED))


def read_trace_parent(headers: Headers) -> TraceParent | None:
    """Return the trace context of a record; None if it has no valid one."""
    return parse_trace_parent(dict(headers).get(TRACE_PARENT)) if headers else None


def trace_headers(headers: Headers) -> Headers:
    """Return the headers of the trace context among those of a record."""
    return tuple(one for one in headers if one[0] in {TRACE_PARENT, TRACE_STATE})


def sampled_trace_id(headers: Headers) -> str:
    """Return the trace id of a sampled request; "" if it is not sampled, or has none."""
    found = read_trace_parent(headers)
    return found.trace_id if found is not None and found.is_sampled else ""


def sampled_parent(headers: Headers, name: str = TRACE_PARENT) -> str | None:
    """Return the `traceparent` of a record if it is valid and sampled, without later fields."""
    if not headers:
        return None
    value = dict(headers).get(name)
    return value[:PARENT_LENGTH].decode() if value is not None and _is_sampled(value) else None


def sampled_parents(records: Iterable[Record], name: str = TRACE_PARENT) -> list[bytes]:
    """Return the `traceparent` of each record that has a valid and sampled one, in their order.

    Each is cut to the fields that all versions have: 55 bytes.

    Args:
        records: any records.
        name: the header that has the trace context.
    """
    values = [v for headers in map(HEADERS, records) for one, v in headers if one == name and v]
    if set(map(len, values)) <= {PARENT_LENGTH}:
        # Flags are looked at first: where few requests are sampled, few contexts are validated.
        flags = b"".join(values)[PARENT_LENGTH - 1 :: PARENT_LENGTH]
        if flags.translate(None, ODD_DIGITS):
            values = [values[found.start()] for found in ODD_DIGIT.finditer(flags)]
        text = b"".join(values)
        if CANONICAL.fullmatch(text) and not any(zeros in text for zeros in ZERO_IDS):
            return values
    return [value[:PARENT_LENGTH] for value in values if _is_sampled(value)]


def _is_sampled(value: bytes) -> bool:
    return value[54:55] in ODD_DIGITS and PARENT.fullmatch(value) is not None
