"""A learner on a real topic: labels of any classes, and feedback that any client can write."""

import json
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import monotonic

import pytest
from river import linear_model, preprocessing

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.access import open_registry
from modstream.services.learner import run_learner
from modstream.settings import load_settings

pytestmark = pytest.mark.real

TIMEOUT_SECONDS = 180.0
GOOD = 120


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        partitions=1, learn={"guard": {"source_budget": 0}},
    )  # fmt: skip
    Admin(settings.connection).create(settings.topic_specs())
    return settings


def message(number, **fields):
    random = Random(number)
    x, y = random.gauss(0, 1), random.gauss(0, 1)
    positive = x + y > 0
    return {
        "id": f"r{number}",
        "label": 2 if positive else 1,
        "features": {"x": x, "y": y},
        "predictions": [
            {"model": "m", "version": 1, "outputs": {"probability": 0.75 if positive else 0.25}},
            {"model": f"unknown{number}", "version": 1, "outputs": {"probability": 0.5}},
        ],
        "event_time": number,
        "label_time": number + 1,
        **fields,
    }


HOSTILE = [
    json.dumps(one).encode()
    for one in (
        message(1000, label=10**400),
        message(1001, label="x" * 1_000_000),
        message(1002, label=3),
        message(1003, label=True),
        message(1004, features={"x": "x" * 1_000_000, "y": 0.5}),
        message(1005, features={"x": [1], "y": {}}),
        message(1006, event_time=10**400),
        message(1007, predictions=[{"model": "m", "version": 1, "outputs": {"probability": {}}}]),
    )
] + [b"\xff", b"[" * 50_000]


def test_labels_of_the_classes_1_and_2_are_learned_among_hostile_feedback(settings):
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    spec = VersionSpec(
        name="m", runtime="river", task="binary", classes=(1, 2),
        input_schema=InputSchema.of_floats(["x", "y"]),
    )  # fmt: skip
    topics, stop = settings.topics(), Event()
    with open_registry(settings) as registry, Publisher(settings.connection) as publisher:
        registry.publish(spec, pack(model))
        for number in range(GOOD):
            value = json.dumps(message(number)).encode()
            publisher.send(ProducerRecord(topics.feedback, b"k", value))
            if number < len(HOSTILE):
                publisher.send(ProducerRecord(topics.feedback, None, HOSTILE[number]))
        publisher.flush()
        end = GOOD + len(HOSTILE)

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run_learner, settings, "m", stop)
            deadline = monotonic() + TIMEOUT_SECONDS
            while learned_to(registry, topics) < end and monotonic() < deadline:
                running.exception(0.1) if running.done() else stop.wait(0.05)
            stop.set()
            running.result(TIMEOUT_SECONDS)
        card = registry.newest("m")

    assert card.offsets == {f"{topics.feedback}:0": end}
    assert card.classes == (1, 2)
    assert card.metrics["learned"] == GOOD + 1
    found = list(read_to_end(settings.connection, [topics.quarantine]))
    reasons = [decode(Quarantined, one.value) for one in found]
    assert len(reasons) == len(HOSTILE) - 1
    assert {one.detail for one in reasons if one.rule == "label_domain"} == {
        "inf is not one of the classes 1, 2",
        "3 is not one of the classes 1, 2",
        "True is not one of the classes 1, 2",
    }
    metrics = [
        decode(Metrics, one.value) for one in read_to_end(settings.connection, [topics.metrics])
    ]
    of_model = [one.values for one in metrics if (one.model, one.version) == ("m", None)][-1]
    assert (of_model["labelled"], of_model["auc"]) == (GOOD + 1, 1.0)
    assert {one.model for one in metrics} == {"m"}
    progress = [one.values for one in metrics if one.kind == "learner"][-1]
    assert progress["quarantined"] == len(reasons)
    assert progress["unscored"] > GOOD


def learned_to(registry, topics):
    """Return the offset up to which the newest version has learned."""
    return registry.newest("m").offsets.get(f"{topics.feedback}:0", 0)
