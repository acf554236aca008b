"""The headers of requests: the ones that are used, and the ones that are passed through."""

import pytest

from modstream.broker.wire.record_batch import parse_headers
from modstream.broker.wire.record_size import MAX_HEADER_BYTES, MAX_HEADERS, headers_size
from modstream.broker.wire.records import ILLEGIBLE_HEADERS, Record
from modstream.broker.wire.tensor_binary import split_payload


@pytest.mark.parametrize("name", ["deadline", "Deadline", "DEADLINE"])
def test_a_deadline_is_read_whatever_the_case_of_its_name(name):
    assert parse_headers(((name, b"7"),)).deadline == b"7"


@pytest.mark.parametrize(
    "name", ["inference-header-content-length", "Inference-Header-Content-Length"]
)
def test_the_length_of_the_json_is_read_whatever_the_case_of_its_name(name):
    headers = ((name, b"2"),)

    assert parse_headers(headers).json_length == b"2"
    assert split_payload(Record("t", 0, 0, None, b"{}\x01", headers)) == (b"{}", b"\x01")


def test_the_last_of_several_headers_of_a_name_is_used():
    assert parse_headers((("deadline", b"1"), ("Deadline", b"2"))).deadline == b"2"


def test_passed_headers_keep_their_order_and_their_names_and_those_of_an_event_are_not_passed():
    headers = (("Traceparent", b"a"), ("x", b"b"), ("Ce_Id", b"c"), ("reply-to", None))

    assert parse_headers(headers).passed_through == (headers[0], headers[3])


@pytest.mark.parametrize(
    "headers", [(("traceparent", b"v"),) * 10_000, (("reply-to", bytes(16_500_000)),)]
)
def test_passed_headers_are_bounded(headers):
    passed = parse_headers(headers).passed_through

    assert len(passed) <= MAX_HEADERS
    assert headers_size(passed) <= MAX_HEADER_BYTES


def test_illegible_headers_are_passed_on_as_such():
    assert parse_headers(ILLEGIBLE_HEADERS).passed_through == ILLEGIBLE_HEADERS
