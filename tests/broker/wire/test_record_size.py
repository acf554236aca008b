"""Records are measured before they are produced, and cut if they are too large."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.errors import NotJson, UnforeseenException
from modstream.broker.wire.contracts import Quarantined, SourcePosition
from modstream.broker.wire.dead_letters import (
    build_dead_letter,
    build_redriven_request,
    read_attempts,
    read_cause,
)
from modstream.broker.wire.originals import read_original
from modstream.broker.wire.quarantine import build_quarantined_record, build_released_feedback
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import (
    CUT_VALUE_BYTES,
    MAX_HEADERS,
    bounded_headers,
    cut_value,
    fits,
    record_size,
)
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header

MIB = 1024 * 1024
POSITION = "s.requests:2:9"
LIMITS = [8_192, 100_000, MIB, MAX_RECORD_BYTES]


def stored(record, offset=0):
    return Record(record.topic, 1, offset, *record[1:4], record.timestamp or 0)


sizes = st.sampled_from([0, 1, 1_000, 40_000, 200_000, 2 * MIB])
names = st.text(max_size=5) | st.sampled_from(["ce_x", "é" * 3000])
many_headers = st.lists(st.tuples(names, st.none() | sizes.map(bytes)), max_size=5).map(tuple)
records = st.builds(
    lambda key, value, headers, repeat: ProducerRecord("t", key, value, headers * repeat, 7),
    st.none() | sizes.map(bytes),
    st.none() | sizes.map(bytes),
    many_headers,
    st.sampled_from([1, 1, 1000]),
)


@given(records, st.sampled_from(LIMITS))
def test_a_cut_record_fits_and_says_what_and_where_its_original_is(record, limit):
    cut = cut_value(record, POSITION, limit)

    assert fits(cut, limit)
    original = read_original(stored(cut))
    value = record.value or b""
    assert (str(original), original.size) == (POSITION, len(value))
    assert original.sha256 == sha256(value).hexdigest()
    assert value.startswith(cut.value)
    assert len(cut.value) >= min(len(value), CUT_VALUE_BYTES, limit // 10)
    assert (record.key or b"").startswith(cut.key or b"")


@given(records, st.sampled_from(LIMITS))
def test_every_dead_letter_fits_and_keeps_its_cause_and_its_attempts(record, limit):
    redrive = ((Header.REDRIVE_OF, b"s.dlq:0:1"), (Header.ATTEMPTS, b"4"))
    request = Record("s.requests", 2, 9, record.key, record.value, record.headers + redrive, 7)

    letter = build_dead_letter(request, "s.dlq", NotJson("no" * 9_000), "VALUE_CONVERTER", limit)

    assert fits(letter, limit)
    cause = read_cause(stored(letter))
    assert (cause["class.name"], cause["offset"]) == ("not_json", "9")
    assert read_attempts(stored(letter)) == 4
    if fits(request, limit - 2_500):
        assert (letter.key, letter.value) == (request.key, request.value)


def test_an_internal_error_is_the_cause_of_a_cut_letter_too():
    request = Record("s.requests", 0, 1, b"k", bytes(2 * MIB))

    letter = build_dead_letter(request, "s.dlq", UnforeseenException("KeyError", "ab"), "X", MIB)

    cause = read_cause(stored(letter))
    assert (cause["class.name"], cause["exception.class.name"]) == ("internal_error", "KeyError")


def test_a_cut_letter_is_redriven_from_its_original():
    request = Record("s.requests", 2, 9, b"key", bytes(17 * MIB), (("n", b"1"),), 7)
    letter = stored(build_dead_letter(request, "s.dlq", NotJson("no"), "VALUE_CONVERTER"), 41)

    again = build_redriven_request(letter, request)

    assert (again.topic, again.key, again.value) == ("s.requests", b"key", request.value)
    assert again.headers[0] == ("n", b"1")
    assert stored(again).header(Header.REDRIVE_OF) == b"s.dlq:1:41"
    assert read_original(stored(again)) is None


@pytest.mark.parametrize(
    "headers",
    [
        ((Header.ORIGINAL_POSITION, b"t:x:1"),),
        ((Header.ORIGINAL_POSITION, b"t:0:1"), (Header.ORIGINAL_SIZE, b"-1")),
        ((Header.ORIGINAL_POSITION, b"t:0:" + b"9" * 5000), (Header.ORIGINAL_SIZE, b"1")),
        ((Header.ORIGINAL_POSITION, None), (Header.ORIGINAL_SIZE, None)),
        ((Header.ORIGINAL_POSITION, b"\xff"), (Header.ORIGINAL_SIZE, "²".encode())),
    ],
)
def test_malformed_descriptions_of_an_original_are_none(headers):
    assert read_original(Record("t", 0, 1, None, None, headers)) is None


def test_a_quarantined_row_is_cut_in_its_header_and_released_from_its_original():
    source = SourcePosition(topic="s.feedback", partition=0, offset=3)
    reason = Quarantined(id="r", model="m", rule="outlier", detail="far", source=source)
    feedback = Record("s.feedback", 0, 3, b"k", bytes(MAX_RECORD_BYTES))

    row = build_quarantined_record(feedback, "s.quarantine", reason)

    assert fits(row)
    assert row.value.startswith(b'{"schema_version":1,"id":"r"')
    assert str(read_original(stored(row))) == "s.feedback:0:3"
    assert len(stored(row).header(Header.ORIGINAL)) == CUT_VALUE_BYTES
    assert build_released_feedback(stored(row), feedback).value == feedback.value


def test_headers_are_kept_in_their_order_as_far_as_they_fit():
    headers = (("a", b"1"), ("huge", bytes(MIB)), ("b", None), ("a", b"2"))

    assert bounded_headers(headers) == (("a", b"1"), ("b", None), ("a", b"2"))
    assert len(bounded_headers((("n", b""),) * 10_000)) == MAX_HEADERS


def test_the_size_of_a_record_counts_bytes_and_every_header():
    bare = ProducerRecord("t", None, None)
    record = ProducerRecord("t", b"12", b"345", (("é", b"6"), ("x", None)))

    assert record_size(record) - record_size(bare) >= 2 + 3 + (2 + 1) + 1


def test_limits_are_bounded_and_are_halved_where_they_are_unknown():
    limits = RecordLimits({"a": 10**9})
    assert (limits.of("a"), limits.of("b"), limits.smallest) == (MAX_RECORD_BYTES,) * 3

    limits.lower([ProducerRecord("a", None, bytes(n)) for n in (10, 100_000)])

    assert 40_000 < limits.of("a") <= 51_000
    assert (limits.of("b"), limits.smallest) == (MAX_RECORD_BYTES, limits.of("a"))
