"""A request's story, another version's answers and the fences, from the shell."""

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
from modstream.broker.wire.codec import decode, decode_answer
from modstream.broker.wire.contracts import Fence
from modstream.operations.trace.story import served
from modstream.services.worker import run_worker
from tests.journeys.conftest import SECONDS, with_route
from tests.models.constant_model import publish

pytestmark = [pytest.mark.real, pytest.mark.journey]

EACH = 5
NAME = "biased"


@contextmanager
def working(settings):
    """A worker in a thread of this process."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_worker, settings, stop)
        try:
            yield
        finally:
            stop.set()
            running.result(SECONDS)


def answered(client, name):
    """The version that answers a request of that id and key."""
    return client.wait(client.send({"distance": 1.0}, id=name), SECONDS).version


@pytest.fixture
def swapped(system):
    """A stream whose only model was swapped and swapped back, with a label to the first request."""
    system = with_route(system, NAME)
    system.create_topics()
    client = system.client()
    with system.registry() as registry:
        publish(registry, -2, NAME)
        with working(system.settings):
            assert [answered(client, f"first-{n}") for n in range(EACH)] == [1] * EACH
            publish(registry, 2, NAME)
            await_version(client, 2)
            assert [answered(client, f"second-{n}") for n in range(EACH)] == [2] * EACH
            registry.rollback(NAME)
            await_version(client, 1)
    client.label("first-0", value=True, event_time=1_700_000_000_000)
    client.flush()
    return system


def await_version(client, version):
    deadline, number = monotonic() + SECONDS, 0
    while answered(client, f"until-{version}-{number}") != version:
        assert monotonic() < deadline
        number += 1


def told(system, *arguments):
    done = system.run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def forget(bootstrap, topic, partition, offset):
    """Have a record deleted, as retention would."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    home = TopicPartition(topic, partition, offset + 1)
    admin.delete_records([home])[home].result(SECONDS)


def read(system, topic):
    return list(read_to_end(system.settings.connection, [topic]))


def test_every_answer_lies_behind_a_fence_that_names_its_version_and_artifact(swapped):
    fences = [decode(Fence, record.value) for record in read(swapped, swapped.topics.fences)]
    answers = [decode_answer(record) for record in read(swapped, swapped.topics.predictions)]
    with swapped.registry() as registry:
        hashes = {card.version: card.sha256 for card in registry.versions(NAME)}

    for answer in answers:
        (here,) = served(fences, answer.source)
        assert (here.version, here.sha256) == (answer.version, hashes[answer.version])
    assert len(fences) <= 3 * swapped.settings.partitions
    listed = told(swapped, "fences", "--model", NAME)
    assert [one["version"] for one in listed].count(2) <= swapped.settings.partitions
    assert len(listed) == len(fences)


def test_a_request_is_traced_by_its_id_or_its_place_and_what_is_not_there_is_told(swapped):
    account = told(swapped, "trace", "first-0")
    (request,), (answer,) = account["requests"], account["answers"]
    assert (request["features"], account["labels"][0]["label"]) == ({"distance": 1.0}, True)
    assert (answer["version"], answer["asked_as"], len(answer["sha256"])) == (1, "champion", 64)
    assert account["fate"] == "the label waits for the joiner"

    assert told(swapped, "trace", request["place"]) == account
    assert told(swapped, "trace", "first-0", "--key", "first-0", "--since", "1d") == account
    shown = swapped.run("trace", "first-0")
    assert "first-0: the label waits" in shown.stdout
    topic, partition, offset = request["place"].rsplit(":", 2)
    beyond = f"{topic}:{partition}:{int(offset) + 1000}"
    for arguments in (("nobody",), ("first-0", "--partition", "99"), (beyond,)):
        lost = swapped.run("trace", *arguments)
        assert (lost.returncode, "Traceback" in lost.stderr) == (1, False)
        assert "carries the id" in lost.stderr

    forget(swapped.settings.bootstrap, topic, int(partition), int(offset))
    gone = told(swapped, "trace", request["place"])
    assert [(one["version"], one["sha256"]) for one in gone["served"]] == [(1, answer["sha256"])]


def test_another_version_is_tried_on_recorded_requests_and_the_stream_is_left_alone(swapped):
    admin, topics = Admin(swapped.settings.connection), swapped.topics
    names = [spec.name for spec in swapped.settings.specs()]
    before = admin.committed(topics.group("worker"), [topics.requests]), admin.ends(names)

    found = told(swapped, "replay", "--model", NAME, "--version", "2", "--out", "rows.jsonl")

    answers = [decode_answer(record) for record in read(swapped, topics.predictions)]
    by_the_first = sum(answer.version == 1 for answer in answers)
    assert (found["requests"], found["rows"]) == (len(answers), len(answers))
    assert found["flips"] == {"count": by_the_first, "up": by_the_first, "down": 0}
    assert found["equal"] == len(answers) - by_the_first, "the same version says the same again"
    assert found["labelled"] == 1
    assert found["replayed"]["log_loss"] < found["served"]["log_loss"]
    rows = [json.loads(line) for line in (swapped.folder / "rows.jsonl").read_text().splitlines()]
    assert sum(row["flipped"] for row in rows) == by_the_first
    after = admin.committed(topics.group("worker"), [topics.requests]), admin.ends(names)
    assert after == before

    shown = swapped.run("replay", "--version", "2", "--from", "1d")
    assert "decisions that differ" in shown.stdout
    nothing = swapped.run("replay", "--version", "2", "--to", "2001-01-01")
    assert (nothing.returncode, "none has an answer" in nothing.stderr) == (1, True)
