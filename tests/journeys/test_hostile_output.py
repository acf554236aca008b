"""Records and versions with texts that steer a terminal, printed by commands on real servers."""

import json

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Header
from tests.journeys.conftest import with_route
from tests.models.constant_model import publish_constant
from tests.modstream.hostile_text import HOSTILE, check_harmless

pytestmark = [pytest.mark.real, pytest.mark.journey]

NAME = "biased"
PREDICTION = {"model": NAME, "version": 1, "outputs": {HOSTILE: HOSTILE}}
TOPICS = ("requests", "predictions", "labels", "feedback", "unjoined", "quarantine", "dlq")


@pytest.fixture
def planted(system):
    """A stream with a hostile text in each topic, and in the history of an alias."""
    system = with_route(system, NAME)
    system.create_topics()
    topics = system.topics
    source = {"topic": topics.requests, "partition": 0, "offset": 0}
    cause = {
        f"{CONNECT_ERROR_PREFIX}class.name": HOSTILE,
        f"{CONNECT_ERROR_PREFIX}exception.message": HOSTILE,
        f"{CONNECT_ERROR_PREFIX}topic": topics.requests,
        f"{CONNECT_ERROR_PREFIX}partition": "0",
        f"{CONNECT_ERROR_PREFIX}offset": "0",
        HOSTILE: HOSTILE,
    }
    joined = {"label": 1, "predictions": [PREDICTION], "event_time": 1, "label_time": 2}
    error = {"code": HOSTILE, "message": HOSTILE, "model": NAME, "source": source}
    rejected = {"model": NAME, "rule": HOSTILE, "detail": HOSTILE, "source": source}
    values = [
        (topics.requests, {"features": {HOSTILE: HOSTILE}}, {HOSTILE: HOSTILE}),
        (topics.predictions, {**PREDICTION, "source": source}, {}),
        (topics.predictions, error, {Header.KIND: KIND_ERROR.decode()}),
        (topics.labels, {"label": HOSTILE, "event_time": 1}, {}),
        (topics.feedback, {**joined, "features": {HOSTILE: HOSTILE}}, {}),
        (topics.unjoined, {"reason": "row_unknown", "detail": HOSTILE, "label": HOSTILE}, {}),
        (topics.quarantine, rejected, {}),
        (topics.dlq, {}, cause),
    ]
    with Publisher(system.settings.connection) as publisher:
        for topic, fields, headers in values:
            value = json.dumps({"id": HOSTILE, **fields}, ensure_ascii=False).encode()
            sent = tuple((name, text.encode()) for name, text in headers.items())
            publisher.send(ProducerRecord(topic, HOSTILE.encode(), value, sent))
        publisher.flush()
    with system.registry() as registry:
        publish_constant(registry, -2, NAME)
        publish_constant(registry, 2, NAME)
        registry.rollback(NAME, reason=HOSTILE)
    return system


def test_no_command_prints_a_control_character(planted):
    read = ("--from", "beginning", "--topic")
    commands = [
        *(("consume", *read, topic) for topic in TOPICS),
        *(("consume", "--record", *read, topic) for topic in TOPICS),
        *(("trace", HOSTILE, *form) for form in ((), ("--json",))),
        *(("dlq", action, *form) for action in ("list",) for form in ((), ("--json",))),
        *(("dlq", "show", HOSTILE, *form) for form in ((), ("--json",))),
        *(("quarantine", "list", *form) for form in ((), ("--json",))),
        *(("quarantine", "show", HOSTILE, *form) for form in ((), ("--json",))),
        *(("models", "show", NAME, "--history", *form) for form in ((), ("--json",))),
    ]
    for command in commands:
        done = planted.run(*command)

        assert done.returncode == 0, (command, done.stderr)
        check_harmless(done.stdout + done.stderr)


def test_a_refusal_that_quotes_a_record_has_no_control_character(planted):
    done = planted.run("dlq", "show", f"{HOSTILE}2")

    assert done.returncode != 0
    check_harmless(done.stderr)


def test_a_program_gets_the_exact_bytes(planted):
    done = planted.run("consume", "--json", "--from", "beginning", "--topic", "requests")

    document = {"id": HOSTILE, "features": {HOSTILE: HOSTILE}}
    assert done.stdout == f"{json.dumps(document, ensure_ascii=False)}\n"
