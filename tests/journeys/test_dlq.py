"""Dead letters from the shell: listed, redriven after their cause is removed, and answered."""

import json
from time import monotonic

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import decode_response, encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header
from modstream.models.examples.flights import FLIGHT_SCHEMA
from tests.journeys.conftest import TIMEOUT_SECONDS, publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]

LETTERS = 100
ROW = {f.name: "AA" if f.kind == "string" else 1.0 for f in FLIGHT_SCHEMA.features}


@pytest.fixture
def stream(system):
    """A stream whose worker rejects all requests as too large, and an invalid record."""
    system = with_route(system, "online")
    publish_untrained(system, "online")
    system.start("worker", "worker", environment={"MODSTREAM_MAX_REQUEST_BYTES": "50"})
    with Publisher(system.settings.connection) as publisher:
        publisher.send(ProducerRecord(system.topics.requests, b"\x1b[2J", b"[red]\xff\x1b[2J"))
        for n in range(LETTERS):
            value = encode(Request(id=f"r-{n}", features=ROW))
            publisher.send(ProducerRecord(system.topics.requests, b"k-%d" % n, value))
        publisher.flush()
    wait_for_records(system, system.topics.dlq, LETTERS + 1)
    return system


def wait_for_records(system, topic, count):
    """Wait until a topic has `count` records, and no more, and return them."""
    with Reader(system.settings.connection, [topic]) as reader:
        found, deadline = [], monotonic() + TIMEOUT_SECONDS
        while len(found) < count or not reader.at_end():
            assert monotonic() < deadline, f"{len(found)} of {count}"
            found += reader.poll()
    assert len(found) == count
    return found


def run_dlq(system, *arguments):
    done = system.run("dlq", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dead_letters_are_redriven_once_and_answered_after_their_cause_is_removed(stream):
    (group, other) = json.loads(run_dlq(stream, "list", "--json"))
    assert (group["cause"], group["letters"], group["due"]) == ("too_large", LETTERS, LETTERS)
    assert (other["cause"], other["letters"]) == ("not_json", 1)
    planned = json.loads(run_dlq(stream, "redrive", "--cause", "too_large", "--dry-run", "--json"))
    assert (planned["sent"], planned["due"]) == (0, LETTERS)

    stream.supervisor.stop(["worker"])
    stream.start("worker", "worker")
    done = json.loads(run_dlq(stream, "redrive", "--json"))
    assert done["sent"] == LETTERS + 1
    answers = wait_for_records(stream, stream.topics.predictions, LETTERS)
    assert {decode_response(a).id for a in answers} == {f"r-{n}" for n in range(LETTERS)}
    letters = wait_for_records(stream, stream.topics.dlq, LETTERS + 2)
    assert [letter.header(Header.ATTEMPTS) for letter in letters].count(b"2") == 1

    again = json.loads(run_dlq(stream, "redrive", "--cause", "too_large", "--json"))
    assert (again["sent"], again["redriven"]) == (0, LETTERS)
    exhausted = json.loads(run_dlq(stream, "redrive", "--max-attempts", "2", "--json"))
    assert (exhausted["sent"], exhausted["exhausted"]) == (0, 1), "the invalid record failed twice"
    wait_for_records(stream, stream.topics.predictions, LETTERS)
    wait_for_records(stream, stream.topics.requests, 2 * (LETTERS + 1))


def test_a_dead_letter_is_shown_completely_and_cannot_send_control_codes_to_the_terminal(stream):
    shown = run_dlq(stream, "show", "not_json")
    assert r"[red]\xff\x1b[2J" in shown
    assert "\x1b" not in shown

    (letter,) = json.loads(run_dlq(stream, "show", "NotJson", "--json"))
    assert (letter["attempts"], letter["bytes"]) == (1, 10)
    assert letter["value_base64"] == "W3JlZF3/G1sySg=="
    assert letter["cause"]["topic"] == stream.topics.requests
    (same,) = json.loads(run_dlq(stream, "show", letter["letter"], "--json"))
    assert same == letter
    assert "unknown cause nothing: known" in stream.run("dlq", "show", "nothing").stderr
