"""Bodies, preferences, rows and labels as HTTP callers send them."""

import gzip
import json
import zlib

import msgspec
import pytest

from modstream.producers.gateway.errors import BodyTooLarge, InvalidCall, UnsupportedEncoding
from modstream.producers.gateway.http.bodies import uncompress
from modstream.producers.gateway.http.http1 import ignore_offer
from modstream.producers.gateway.http.preferences import read_waiting
from modstream.producers.gateway.labels import MAX_LABELS, read_labels
from modstream.producers.gateway.rows import read_row_call, write_row_answer
from modstream.producers.gateway.tickets import Ticket

NOW = 1_700_000_000_000
BOMB = gzip.compress(bytes(50_000_000), mtime=0)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_compressed_body_is_read(encoding, compress):
    assert uncompress(compress(b"{}" * 50), encoding, 100) == b"{}" * 50


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (b"{}", "br", UnsupportedEncoding),
        (b"{}", "gzip", InvalidCall),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", InvalidCall),
        (gzip.compress(b"{}", mtime=0) + b"more", "gzip", InvalidCall),
        (b"", "gzip", InvalidCall),
        (gzip.compress(bytes(101), mtime=0), "gzip", BodyTooLarge),
        (BOMB, "gzip", BodyTooLarge),
    ],
)
def test_a_body_that_cannot_be_uncompressed_within_the_limit_is_refused(body, encoding, error):
    with pytest.raises(error):
        uncompress(body, encoding, 100)


@pytest.mark.parametrize(
    ("prefer", "seconds", "expected"),
    [
        ("", None, (10.0, False, False)),
        ("wait=3", None, (3.0, True, False)),
        ("WAIT = 2.5", None, (2.5, True, False)),
        ("wait=999999", None, (60.0, True, False)),
        ("respond-async", None, (0.0, False, True)),
        ("respond-async, wait=4", None, (4.0, False, True)),
        ("handling=lenient, respond-async;foo", None, (0.0, False, True)),
        ("", 0.5, (0.5, True, False)),
        ("wait=3", 0.5, (3.0, True, False)),
    ],
)
def test_how_long_a_caller_waits(prefer, seconds, expected):
    waiting = read_waiting(prefer, 10.0, 60.0, seconds)
    assert (waiting.seconds, waiting.is_deadline, waiting.is_async) == expected


@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "wait=1e9", "wait="])
def test_a_wait_without_a_number_of_seconds_is_refused(prefer):
    with pytest.raises(InvalidCall, match="wait"):
        read_waiting(prefer, 10.0, 60.0, None)


def test_a_row_keeps_its_features_as_they_came():
    body = b'{"features": {"x": 1.0, "big": 12345678901234567890123}, "model": "m", "version": 3}'
    value, length = read_row_call(body).encode("own")
    assert length is None
    assert json.loads(value) == {
        "id": "own",
        "model": "m",
        "version": 3,
        "features": {"x": 1.0, "big": 12345678901234567890123},
    }


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"{", b'{"features": }', b'{"features": {}, "modle": "m"}',
        b'{"features": {}, "id": ""}', b'{"features": {}, "id": 3}',
        b'{"features": {}, "key": null',
        b'{"features": {}, "version": 0}', b'{"features": {}, "event_time": 1.5}', b"\xff\xfe",
        b'{"features":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_row_is_refused_with_an_example(body):
    with pytest.raises(InvalidCall, match=r'"features"'):
        read_row_call(body)


def test_the_answer_has_the_callers_id_and_that_of_the_record():
    ticket = Ticket("s", 0, "own", "key", NOW, "m", "row", "mine")
    prediction = {"id": "own", "model": "m", "version": 2, "outputs": {"value": 1.5}, "more": 1}
    assert json.loads(write_row_answer(ticket, msgspec.json.encode(prediction))) == {
        "id": "mine",
        "request_id": "own",
        "model": "m",
        "version": 2,
        "outputs": {"value": 1.5},
    }


def test_labels_are_read_alone_or_in_a_list():
    ((label, key),) = read_labels(b'{"id": "a", "label": true}', NOW)
    assert (label.id, label.label, label.event_time, key) == ("a", True, NOW, "a")
    many = [{"id": "a", "label": 1, "key": "k", "row": 2, "revision": 1, "event_time": 5}] * 2
    found = read_labels(json.dumps(many).encode(), NOW)
    assert [(one.label, one.row, one.revision, one.event_time, key) for one, key in found] == [
        (1, 2, 1, 5, "k")
    ] * 2


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "1 to"),
        ([{"id": "a", "label": 1}] * (MAX_LABELS + 1), "1 to"),
        (3, "object"),
        ([{"id": "a", "label": 1}, {"id": "b"}], "label 1: "),
        ({"label": 1}, "id"),
        ({"id": "a", "label": None}, "label"),
        ({"id": "a", "label": 1, "key": ""}, "key"),
        ({"id": "a", "label": 1, "key": "k" * 257}, "key"),
        ({"id": "a", "label": 1, "event_time": 10**17}, "event_time"),
    ],
)
def test_a_label_that_is_none_is_refused_with_its_place(document, text):
    with pytest.raises(InvalidCall, match=text):
        read_labels(json.dumps(document).encode(), NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_labels_that_are_not_json_are_refused(body):
    with pytest.raises(InvalidCall, match="not JSON"):
        read_labels(body, NOW)


OFFER = (
    b"POST /x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"Content-Length: 16\r\n\r\n\r\nUpgrade: h2c\r\n"
)


def test_an_offer_of_http2_is_renamed_in_the_head_only():
    assert ignore_offer(OFFER) == OFFER.replace(b"\r\nUpgrade: h2c\r\nC", b"\r\nignored: h2c\r\nC")
    body = OFFER.partition(b"\r\n\r\n")[2]
    assert ignore_offer(body) == body
