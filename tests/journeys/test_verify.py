"""`modstream verify` against a running worker."""

import json

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import ProducerRecord
from tests.journeys.conftest import publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]


def test_a_sound_stream_passes_while_other_clients_send_requests(system):
    system = with_route(system, "online")
    publish_untrained(system, "online")
    with Publisher(system.settings.connection) as publisher:
        for number in range(500):
            foreign = encode(Request(id="the same", features={}, model="no-such-model"))
            value = foreign if number % 2 else b"invalid"
            publisher.send(ProducerRecord(system.topics.requests, b"%d" % number, value))
    system.start("worker", "worker")

    done = system.run("verify", "--number", "1000", "--json")
    shown = system.run("verify", "--number", "200", "--rate", "400", "--keys", "5")

    verdict = json.loads(done.stdout)
    assert done.returncode == shown.returncode == 0
    assert verdict["verified"]
    assert verdict["requests"] == verdict["sent ok"] == verdict["predictions"] == 1000
    assert {fault["count"] for fault in verdict["faults"].values()} == {0}
    assert "verified: every request was answered once" in shown.stdout


def test_a_stream_without_a_worker_fails(system):
    system = with_route(system, "online")
    system.create_topics()

    done = system.run("verify", "--number", "50", "--idle-timeout", "1", "--json")
    shown = system.run("verify", "--number", "50", "--idle-timeout", "1")

    verdict = json.loads(done.stdout)
    assert done.returncode == shown.returncode == 1
    assert not verdict["verified"]
    assert verdict["faults"]["lost"]["count"] == 50
    assert verdict["faults"]["lost"]["examples"]
    assert verdict["faults"]["uncommitted offset"]["count"] > 0
    assert "not verified" in shown.stdout


def test_a_missing_stream_is_reported_in_one_sentence(system):
    done = system.run("verify")

    assert done.returncode == 1
    assert "modstream topics create" in done.stderr
