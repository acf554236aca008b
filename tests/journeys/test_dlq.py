"""Dead letters, from the shell: looked at, their cause mended, sent back, answered."""

import json
from time import monotonic

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import decode_answer, encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Header
from modstream.models.examples.flights import FLIGHT_FEATURES
from tests.journeys.conftest import SECONDS, publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]

LETTERS = 100
ROW = {f.name: "AA" if f.kind == "string" else 1.0 for f in FLIGHT_FEATURES.features}


@pytest.fixture
def asked(system):
    """A stream whose worker finds every request too large, and one that is no request at all."""
    system = with_route(system, "online")
    publish_untrained(system, "online")
    system.start("worker", "worker", environment={"MODSTREAM_LARGEST_REQUEST": "50"})
    with Publisher(system.settings.connection) as publisher:
        publisher.send(Outgoing(system.topics.requests, b"\x1b[2J", b"[red]\xff\x1b[2J"))
        for n in range(LETTERS):
            value = encode(Request(id=f"r-{n}", features=ROW))
            publisher.send(Outgoing(system.topics.requests, b"k-%d" % n, value))
        publisher.flush()
    arrived(system, system.topics.dlq, LETTERS + 1)
    return system


def arrived(system, topic, count):
    """The records of a topic, once so many of them have come; and not one more."""
    with Reader(system.settings.connection, [topic]) as reader:
        found, deadline = [], monotonic() + SECONDS
        while len(found) < count or not reader.at_end():
            assert monotonic() < deadline, f"{len(found)} of {count}"
            found += reader.poll()
    assert len(found) == count
    return found


def told(system, *arguments):
    done = system.run("dlq", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_letters_are_redriven_once_and_answered_once_their_cause_is_mended(asked):
    (group, other) = json.loads(told(asked, "list", "--json"))
    assert (group["cause"], group["letters"], group["due"]) == ("too_large", LETTERS, LETTERS)
    assert (other["cause"], other["letters"]) == ("not_json", 1)
    planned = json.loads(told(asked, "redrive", "--cause", "too_large", "--dry-run", "--json"))
    assert (planned["sent"], planned["due"]) == (0, LETTERS)

    asked.supervisor.stop(["worker"])
    asked.start("worker", "worker")
    done = json.loads(told(asked, "redrive", "--json"))
    assert done["sent"] == LETTERS + 1
    answers = arrived(asked, asked.topics.predictions, LETTERS)
    assert {decode_answer(a).id for a in answers} == {f"r-{n}" for n in range(LETTERS)}
    letters = arrived(asked, asked.topics.dlq, LETTERS + 2)
    assert [letter.header(Header.ATTEMPTS) for letter in letters].count(b"2") == 1

    again = json.loads(told(asked, "redrive", "--cause", "too_large", "--json"))
    assert (again["sent"], again["redriven"]) == (0, LETTERS)
    tired = json.loads(told(asked, "redrive", "--most-attempts", "2", "--json"))
    assert (tired["sent"], tired["exhausted"]) == (0, 1), "the rubbish failed twice"
    arrived(asked, asked.topics.predictions, LETTERS)
    arrived(asked, asked.topics.requests, 2 * (LETTERS + 1))


def test_a_letter_is_shown_whole_and_cannot_steer_the_terminal(asked):
    shown = told(asked, "show", "not_json")
    assert r"[red]\xff\x1b[2J" in shown
    assert "\x1b" not in shown

    (letter,) = json.loads(told(asked, "show", "NotJson", "--json"))
    assert (letter["attempts"], letter["bytes"]) == (1, 10)
    assert letter["value_base64"] == "W3JlZF3/G1sySg=="
    assert letter["cause"]["topic"] == asked.topics.requests
    (same,) = json.loads(told(asked, "show", letter["letter"], "--json"))
    assert same == letter
    assert "no dead letter" in asked.run("dlq", "show", "nothing").stderr
