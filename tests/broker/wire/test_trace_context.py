"""Trace contexts in the headers of records, hostile ones among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.records import Record
from modstream.broker.wire.trace_context import (
    TRACE_PARENT,
    parse_trace_parent,
    sampled_parent,
    sampled_parents,
    sampled_trace_id,
    trace_headers,
)

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE_ID}-{SPAN_ID}-01".encode()
INVALID = [
    b"",
    b"nonsense",
    VALID[:-1],
    VALID + b"-later",
    VALID + b"\n",
    VALID.upper(),
    b"ff" + VALID[2:],
    VALID.replace(TRACE_ID.encode(), b"0" * 32),
    VALID.replace(SPAN_ID.encode(), b"0" * 16),
    VALID.replace(b"-", b"_"),
    b"\x00" * 55,
    VALID * 40,
]


def record(*values):
    return Record("t", 0, 0, None, b"", tuple((TRACE_PARENT, value) for value in values))


@pytest.mark.parametrize(
    ("value", "is_sampled"),
    [(VALID, True), (VALID[:-2] + b"00", False), (VALID[:-2] + b"ff", True),
     (b"cc" + VALID[2:] + b"-later", True), (b"cc" + VALID[2:-1] + b"2-later", False)],
)  # fmt: skip
def test_valid_context_is_read(value, is_sampled):
    assert parse_trace_parent(value) == (TRACE_ID, SPAN_ID, is_sampled)
    assert sampled_trace_id(((TRACE_PARENT, value),)) == (TRACE_ID if is_sampled else "")
    assert len(sampled_parents([record(value)])) == is_sampled


@pytest.mark.parametrize("value", [*INVALID, None])
def test_invalid_context_is_ignored(value):
    assert parse_trace_parent(value) is None
    assert sampled_parent(((TRACE_PARENT, value),)) is None
    assert sampled_parents([record(value), record(VALID)]) == [VALID]


@given(
    st.lists(
        st.sampled_from([*INVALID, None, VALID, VALID[:-2] + b"00", b"cc" + VALID[2:] + b"-x"])
        | st.binary(max_size=60)
    )
)
def test_contexts_of_many_records_are_those_of_each(values):
    each = [sampled_parent(((TRACE_PARENT, value),)) for value in values]

    assert sampled_parents(map(record, values)) == [one.encode() for one in each if one is not None]


def test_a_record_without_a_context_has_none():
    headers = (("reply-to", b"me"), ("tracestate", b"a=b"), (TRACE_PARENT, VALID))

    assert sampled_parents([record(), record(VALID)]) == [VALID]
    assert trace_headers(headers) == headers[1:]
    assert trace_headers(()) == ()
    assert sampled_parent(()) is None
