"""`modstream verify` against a running worker."""

import json

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import Outgoing
from tests.journeys.conftest import publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]


def test_a_sound_stream_is_proved_beside_other_peoples_traffic(system):
    system = with_route(system, "online")
    publish_untrained(system, "online")
    with Publisher(system.settings.connection) as publisher:
        for number in range(500):
            foreign = encode(Request(id="the same", features={}, model="nobody"))
            value = foreign if number % 2 else b"rubbish"
            publisher.send(Outgoing(system.topics.requests, b"%d" % number, value))
    system.start("worker", "worker")

    told = system.run("verify", "--number", "1000", "--json")
    shown = system.run("verify", "--number", "200", "--rate", "400", "--keys", "5")

    verdict = json.loads(told.stdout)
    assert told.returncode == shown.returncode == 0
    assert verdict["proved"]
    assert verdict["requests"] == verdict["sent ok"] == verdict["predictions"] == 1000
    assert {fault["count"] for fault in verdict["faults"].values()} == {0}
    assert "every promise was kept" in shown.stdout


def test_a_stream_without_a_worker_is_not_proved(system):
    system = with_route(system, "online")
    system.create_topics()

    told = system.run("verify", "--number", "50", "--patience", "1", "--json")
    shown = system.run("verify", "--number", "50", "--patience", "1")

    verdict = json.loads(told.stdout)
    assert told.returncode == shown.returncode == 1
    assert not verdict["proved"]
    assert verdict["faults"]["lost"]["count"] == 50
    assert verdict["faults"]["lost"]["examples"]
    assert verdict["faults"]["uncommitted offset"]["count"] > 0
    assert "not proved" in shown.stdout


def test_a_stream_that_is_not_there_is_told_in_one_sentence(system):
    done = system.run("verify")

    assert done.returncode == 1
    assert "modstream topics create" in done.stderr
