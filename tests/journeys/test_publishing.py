"""A foreign model is published, serves at once, and is rolled back."""

import asyncio
import json
import pickle
from time import monotonic

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from tests.journeys.conftest import TIMEOUT_SECONDS, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]
MOMENT_SECONDS = 20.0
"""How long a new version may take until it answers (`bench/publish_latency.py` measures it)."""
ROW = {"x0": 5.1, "x1": 3.5, "x2": 1.4, "x3": 0.2}


def save(model, path):
    path.write_bytes(pickle.dumps(model))
    return str(path)


@pytest.fixture
def iris(system):
    """A stream with a forest fitted on the iris data."""
    system = with_route(system, "iris", stream="iris")
    system.create_topics()
    data, kinds = load_iris(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0).fit(data, kinds)
    done = system.run("models", "publish", "iris", save(forest, system.folder / "f.pkl"), "--trust")
    assert done.returncode == 0, done.stderr
    system.start("worker", "worker")
    return system


def test_a_new_classifier_serves_without_a_restart_and_is_rolled_back(iris):
    client = iris.client()
    first = client.wait(client.send(ROW), TIMEOUT_SECONDS)
    assert (first.model, first.version, first.outputs["label"]) == ("iris", 1, 0)

    data, kinds = load_iris(return_X_y=True)
    neighbours = KNeighborsClassifier(1).fit(data, (kinds + 1) % 3)
    path = save(neighbours, iris.folder / "n.pkl")
    done = iris.run("models", "publish", "iris", path, "--trust", "--note", "turned")
    assert done.returncode == 0, done.stderr
    assert seconds_until_served(client, version=2) < MOMENT_SECONDS
    assert client.wait(client.send(ROW)).outputs["label"] == 1

    assert iris.run("models", "rollback", "iris", "--reason", "a drill").returncode == 0
    assert seconds_until_served(client, version=1) < MOMENT_SECONDS
    assert client.wait(client.send(ROW)).outputs["label"] == 0

    assert iris.supervisor.status()[0].restarts == 0
    moves = json.loads(iris.run("models", "show", "iris", "--history", "--json").stdout)
    assert [move["action"] for move in moves] == ["publish", "publish", "rollback"]
    assert moves[-1]["reason"] == "a drill"


def seconds_until_served(client, version):
    """Return the seconds until a prediction has this version."""
    started = monotonic()
    while client.wait(client.send(ROW), TIMEOUT_SECONDS).version != version:
        assert monotonic() - started < TIMEOUT_SECONDS
    return monotonic() - started


def test_a_pickle_is_not_loaded_without_the_trust_option(iris):
    class Bomb:
        def __reduce__(self):
            return (open, (str(iris.folder / "executed"), "w"))

    path = save(Bomb(), iris.folder / "bomb.pkl")
    done = iris.run("models", "publish", "iris", path)

    assert done.returncode == 1
    assert "--trust" in done.stderr
    assert not (iris.folder / "executed").exists()


def test_a_foreign_client_gets_a_response(iris):
    """Send and read with aiokafka alone, without any code of modstream."""

    async def exchange():
        bootstrap = iris.settings.bootstrap
        consumer = AIOKafkaConsumer(
            iris.topics.predictions,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await consumer.start()
        await producer.start()
        try:
            request = {"id": "foreign", "features": ROW}
            headers = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
            await producer.send_and_wait(
                iris.topics.requests, json.dumps(request).encode(), key=b"k", headers=headers
            )
            return await asyncio.wait_for(consumer.getone(), TIMEOUT_SECONDS)
        finally:
            await producer.stop()
            await consumer.stop()

    response = asyncio.run(exchange())

    prediction = json.loads(response.value)
    assert (response.key, prediction["id"], prediction["model"]) == (b"k", "foreign", "iris")
    assert prediction["outputs"]["label"] == 0
    assert dict(response.headers)["traceparent"].startswith(b"00-0af7")


def test_a_model_outside_the_route_is_loaded_on_demand(iris):
    data, kinds = load_iris(return_X_y=True)
    late = RandomForestClassifier(3, random_state=1).fit(data, kinds)
    client = iris.client()
    client.wait(client.send(ROW), TIMEOUT_SECONDS)

    iris.run("models", "publish", "latecomer", save(late, iris.folder / "l.pkl"), "--trust")
    answer = client.wait(client.send(ROW, model="latecomer", version=1), TIMEOUT_SECONDS)

    assert (answer.model, answer.version) == ("latecomer", 1)
