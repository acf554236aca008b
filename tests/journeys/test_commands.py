"""The commands of the command line."""

import json
from time import monotonic

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import ProducerRecord
from tests.journeys.conftest import TIMEOUT_SECONDS, publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.mark.long
def test_a_stream_can_be_used_from_the_shell_alone(system):
    """Seed, send requests and labels, and see that the labels were learned."""
    system = with_route(system, "online", "frozen")
    done = system.run("models", "seed")
    assert done.returncode == 0, done.stderr
    assert "published frozen and online" in done.stderr
    assert "exist already" in system.run("models", "seed").stderr
    for service in (("worker",), ("joiner",), ("learner", "--model", "online")):
        system.start(service[0], *service)

    card = json.loads(system.run("models", "show", "online", "--json").stdout)
    rows = [
        {
            feature["name"]: "AA" if feature["kind"] == "string" else 1.0
            for feature in card["input_schema"]["features"]
        }
        for _ in range(20)
    ]
    requests = "\n".join(map(json.dumps, rows))
    assert "20 requests sent" in system.run("produce", text=requests).stderr
    consume = ("consume", "--from", "beginning", "--follow", "--limit", "40", "--json")
    answers = [json.loads(line) for line in system.run(*consume).stdout.splitlines()]
    ids = {a["id"] for a in answers}
    assert {(a["id"], a["model"]) for a in answers} == {
        (each, model) for each in ids for model in ("online", "frozen")
    }
    assert {each.rpartition("-")[2] for each in ids} == {str(n) for n in range(1, 21)}

    labels = [
        json.dumps({"id": each, "label": False, "event_time": 1_700_000_000_000})
        for each in sorted(ids)
    ]
    assert (
        "20 labels sent" in system.run("produce", "--to", "labels", text="\n".join(labels)).stderr
    )
    deadline = monotonic() + TIMEOUT_SECONDS
    while joined(system) != ids:
        assert monotonic() < deadline, "every label is joined"
    with system.registry() as registry, registry.subscribe() as changes:
        while (registry.newest("online").metrics["learned"]) < 20:
            assert changes.wait(TIMEOUT_SECONDS), "the learner publishes"
    deadline = monotonic() + TIMEOUT_SECONDS
    while learning_outcomes(system, min(ids)) != ["learned"]:
        assert monotonic() < deadline, "the version is announced"
    lag = json.loads(system.run("topics", "lag", "--json").stdout)
    assert {row["service"] for row in lag} == {"worker", "joiner", "learner"}

    listed = json.loads(system.run("models", "list", "--json").stdout)
    assert {row["model"]: row["runtime"] for row in listed} == {"online": "river", "frozen": "onnx"}
    newest = next(row["versions"] for row in listed if row["model"] == "online")
    promoted = system.run("models", "promote", "online", "1", "--alias", "shadow")
    assert promoted.returncode == 0
    assert "shadow: 1" in system.run("models", "list").stdout
    assert newest > 1


def joined(system):
    """Return the ids of the feedback so far."""
    lines = system.run(
        "consume", "--topic", "feedback", "--from", "beginning", "--json"
    ).stdout.splitlines()
    return {json.loads(line)["id"] for line in lines}


def learning_outcomes(system, request_id):
    """Return what learners did with a request's label, according to its trace."""
    trace = json.loads(system.run("trace", request_id, "--json").stdout)
    assert {response["model"] for response in trace["responses"]} == {"online", "frozen"}
    return [outcome["outcome"] for entry in trace["feedback"] for outcome in entry["learning"]]


def test_load_reports_as_text_and_as_json(system):
    system = with_route(system, "online")
    publish_untrained(system, "online")
    system.start("worker", "worker")
    system.wait_for_worker()

    done = system.run("load", "--rate", "100", "--seconds", "3", "--bad", "0.1", "--json")

    report = json.loads(done.stdout)
    assert report["answered"] == report["sent"] > 200
    assert report["latency_ms"]["p50"] > 0
    shown = system.run("load", "--rate", "50", "--seconds", "1", "--format", "tensor")
    assert "p99" in shown.stdout


def test_topics_are_created_listed_and_described(system):
    assert "created" in system.run("topics", "create").stderr
    assert "all topics exist already" in system.run("topics", "create").stderr

    listed = json.loads(system.run("topics", "list", "--json").stdout)
    described = json.loads(system.run("topics", "describe", "--json").stdout)

    assert len(listed) == 11
    assert {row["topic"] for row in listed} == {row["topic"] for row in described}


def test_a_dead_letter_is_printed_with_its_cause(system):
    system = with_route(system, "online")
    publish_untrained(system, "online")
    system.start("worker", "worker")
    with Publisher(system.settings.connection) as publisher:
        publisher.send(ProducerRecord(system.topics.requests, b"k", b"invalid"))

    options = ("--topic", "dlq", "--from", "beginning", "--follow", "--limit", "1")
    done = system.run("consume", *options, "--json")

    letter = json.loads(done.stdout)
    assert (letter["value"], letter["key"]) == ("invalid", "k")
    assert letter["cause"]["class.name"] == "not_json"


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (("models", "show", "no-such-model"), "", "unknown model no-such-model"),
        (("models", "rollback", "no-such-model"), "", "unknown model no-such-model"),
        (("produce",), '{"features": 1}', "line 1"),
        (("produce", "--to", "labels"), "invalid", "line 1"),
        (("consume", "no-such-stream"), "", "modstream topics create"),
        (("load",), "", "unknown model flights"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_error_is_printed_as_one_sentence_without_a_traceback(system, arguments, text, message):
    system.create_topics()

    done = system.run(*arguments, text=text)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unavailable_server_is_named_in_the_error(system):
    unavailable = system.settings.model_copy(
        update={"bootstrap": "127.0.0.1:1", "redis": "redis://127.0.0.1:1/0"}
    )
    system.settings = unavailable

    kafka, redis = system.run("topics", "list"), system.run("models", "list")

    assert "no Kafka broker answers at 127.0.0.1:1" in kafka.stderr
    assert "the model registry is not available" in redis.stderr
    assert kafka.returncode == redis.returncode == 1


def test_settings_are_printed_and_an_invalid_one_is_rejected(system):
    printed = json.loads(system.run("config").stdout)
    assert printed["bootstrap"] == system.settings.bootstrap

    (system.folder / "modstream.toml").write_text('partitions = "many"\n')
    done = system.run("topics", "describe", "--json")
    assert json.loads(done.stdout)[0]["partitions"] == 4, "the environment wins over the file"

    (system.folder / "modstream.toml").write_text("colour = 'blue'\n")
    rejected = system.run("config")
    assert rejected.returncode == 1
    assert "colour" in rejected.stderr


def test_the_doctor_reports_its_checks(system):
    found = json.loads(system.run("doctor", "--json").stdout)

    assert {row["check"] for row in found} >= {"python", "disk", "kafka", "redis", "flights"}
    assert all(row["ok"] for row in found if row["check"] in {"python", "kafka", "redis"})


def test_help_explains_every_command(system):
    printed = system.run("--help").stdout

    for command in ("demo", "up", "worker", "joiner", "learner", "produce", "consume", "load"):
        assert command in printed
    for command in ("predict", "label", "models", "topics", "doctor", "config"):
        assert command in printed
