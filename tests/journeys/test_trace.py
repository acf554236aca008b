"""The trace of a request, the backtest of another version and version markers, from the shell."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from time import monotonic

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode, decode_response
from modstream.broker.wire.model_contracts import VersionMarker
from modstream.operations.trace.story import markers_in_effect
from modstream.services.worker import run_worker
from modstream.services.worker_hooks import WorkerStats
from tests.journeys.conftest import TIMEOUT_SECONDS, with_route
from tests.models.constant_model import publish_constant

pytestmark = [pytest.mark.real, pytest.mark.journey]

REQUESTS = 5
NAME = "biased"


@contextmanager
def run_worker_thread(settings):
    """Run a worker in a thread of this process; returns a hook that counts its events."""
    stop, stats = Event(), WorkerStats()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_worker, settings, stop, hooks=[stats])
        try:
            yield stats
        finally:
            stop.set()
            running.result(TIMEOUT_SECONDS)


def served_version(client, name):
    """Return the version that responds to a request with this id and key."""
    return client.wait(client.send({"distance": 1.0}, id=name), TIMEOUT_SECONDS).version


@pytest.fixture
def swapped(system):
    """A stream whose model was replaced and rolled back, with a label for the first request."""
    system = with_route(system, NAME)
    system.create_topics()
    client = system.client()
    with system.registry() as registry:
        publish_constant(registry, -2, NAME)
        with run_worker_thread(system.settings) as stats:
            assert [served_version(client, f"first-{n}") for n in range(REQUESTS)] == [1] * REQUESTS
            publish_constant(registry, 2, NAME)
            wait_for_version(client, 2)
            assert [served_version(client, f"second-{n}") for n in range(REQUESTS)] == [
                2
            ] * REQUESTS
            registry.rollback(NAME)
            wait_for_version(client, 1)
    client.label("first-0", value=True, event_time=1_700_000_000_000)
    client.flush()
    assert stats.records >= 2 * REQUESTS
    assert stats.swaps >= 2, "a replaced and a rolled back version"
    return system


def wait_for_version(client, version):
    deadline, number = monotonic() + TIMEOUT_SECONDS, 0
    while served_version(client, f"until-{version}-{number}") != version:
        assert monotonic() < deadline
        number += 1


def run_json(system, *arguments):
    done = system.run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def delete_record(bootstrap, topic, partition, offset):
    """Delete a record, as the retention of the topic would."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    until = TopicPartition(topic, partition, offset + 1)
    admin.delete_records([until])[until].result(TIMEOUT_SECONDS)


def read(system, topic):
    return list(read_to_end(system.settings.connection, [topic]))


def test_a_version_marker_before_every_answer_gives_its_version_and_artifact(swapped):
    markers = [
        decode(VersionMarker, record.value)
        for record in read(swapped, swapped.topics.version_markers)
    ]
    answers = [decode_response(record) for record in read(swapped, swapped.topics.predictions)]
    with swapped.registry() as registry:
        hashes = {card.version: card.sha256 for card in registry.versions(NAME)}

    for answer in answers:
        (marker,) = markers_in_effect(markers, answer.source)
        assert (marker.version, marker.sha256) == (answer.version, hashes[answer.version])
    assert len(markers) <= 3 * swapped.settings.partitions
    listed = run_json(swapped, "versions", "--model", NAME)
    assert [one["version"] for one in listed].count(2) <= swapped.settings.partitions
    assert len(listed) == len(markers)


def test_a_request_is_traced_by_id_or_position_and_an_unknown_one_is_reported(swapped):
    story = run_json(swapped, "trace", "first-0")
    (request,), (answer,) = story["requests"], story["responses"]
    assert (request["features"], story["labels"][0]["label"]) == ({"distance": 1.0}, True)
    assert (answer["version"], answer["ref"], len(answer["sha256"])) == (1, "champion", 64)
    assert story["label_status"] == "label not joined yet"

    assert run_json(swapped, "trace", request["position"]) == story
    assert run_json(swapped, "trace", "first-0", "--key", "first-0", "--since", "1d") == story
    shown = swapped.run("trace", "first-0")
    assert "first-0: label not joined yet" in shown.stdout
    topic, partition, offset = request["position"].rsplit(":", 2)
    beyond = f"{topic}:{partition}:{int(offset) + 1000}"
    for arguments in (("unknown",), ("first-0", "--partition", "99"), (beyond,)):
        lost = swapped.run("trace", *arguments)
        assert (lost.returncode, "Traceback" in lost.stderr) == (1, False)
        assert "carries the id" in lost.stderr

    delete_record(swapped.settings.bootstrap, topic, int(partition), int(offset))
    gone = run_json(swapped, "trace", request["position"])
    assert [(one["version"], one["sha256"]) for one in gone["version_markers"]] == [
        (1, answer["sha256"])
    ]


def test_a_backtest_predicts_recorded_requests_and_does_not_change_the_stream(swapped):
    admin, topics = Admin(swapped.settings.connection), swapped.topics
    names = [spec.name for spec in swapped.settings.topic_specs()]
    before = (
        admin.committed_offsets(topics.group("worker"), [topics.requests]),
        admin.end_offsets(names),
    )

    found = run_json(
        swapped, "backtest", "--model", NAME, "--version", "2", "--output", "rows.jsonl"
    )

    answers = [decode_response(record) for record in read(swapped, topics.predictions)]
    by_version_1 = sum(answer.version == 1 for answer in answers)
    assert (found["requests"], found["rows"]) == (len(answers), len(answers))
    assert found["decisions"] == {"count": by_version_1, "up": by_version_1, "down": 0}
    assert found["equal"] == len(answers) - by_version_1, "the same version gives the same outputs"
    assert found["labelled"] == 1
    assert found["backtested"]["log_loss"] < found["served"]["log_loss"]
    rows = [json.loads(line) for line in (swapped.folder / "rows.jsonl").read_text().splitlines()]
    assert sum(row["is_changed"] for row in rows) == by_version_1
    after = (
        admin.committed_offsets(topics.group("worker"), [topics.requests]),
        admin.end_offsets(names),
    )
    assert after == before

    shown = swapped.run("backtest", "--version", "2", "--since", "1d")
    assert "decisions that differ" in shown.stdout
    nothing = swapped.run("backtest", "--version", "2", "--until", "2001-01-01")
    assert (nothing.returncode, "has a recorded prediction" in nothing.stderr) == (1, True)
