"""Planted personal data of a stream that seals them: found in no byte of any server, log or table.

Anna's requests are sealed. Rita's client does not seal, so that her data are in the topic of
requests, and nowhere else. Then Anna is erased, and nothing sealed can be read.
"""

import json
from collections import Counter
from contextlib import ExitStack
from time import time

import httpx
import pytest
from pyarrow import parquet
from redis import Redis
from river import compose, linear_model, preprocessing

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.records import ProducerRecord
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.personal import PSEUDONYM_DIGITS
from modstream.models.schema.version_spec import VersionSpec
from modstream.operations.privacy.byte_search import count_in_bytes
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.sealing import request_sealer
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.processors.predict.personal_settings import PersonalSettings
from modstream.producers.client.client import Client
from modstream.stack.embedded import EmbeddedKafka, EmbeddedRedis, EmbeddedServer
from modstream.stack.embedded.ports import free_port
from tests.journeys.conftest import System, open_system
from tests.journeys.precompute_runs import wait_until

pytestmark = [pytest.mark.real, pytest.mark.journey]

ANNA = {
    "mail": "anna.canary@mail.example.org",
    "phone": "+49 151 2345 6789",
    "card": "4111 1111 1111 1111",
    "age": 37.5,
}
RITA = {
    "mail": "rita.canary@mail.example.org",
    "phone": "+49 151 9876 5432",
    "card": "5555 5555 5555 4444",
    "age": 61.5,
}
TEXTS = ("mail", "phone", "card")
PERSONAL = {
    "mail": "pseudonymise",
    "phone": "shorten=3",
    "card": "drop",
    "age": "generalise=10",
}
SCHEMA = InputSchema(
    features=(
        Feature(name="amount", kind="float"),
        Feature(name="age", kind="float", personal=PERSONAL["age"]),
        Feature(name="mail", kind="string", personal=PERSONAL["mail"]),
        Feature(name="phone", kind="string", personal=PERSONAL["phone"]),
        Feature(name="card", kind="string", missing=True, personal=PERSONAL["card"]),
    )
)


@pytest.fixture
def shop(tmp_path, prefix):
    """A stream with all its services, whose servers keep their files in the home directory."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(EmbeddedServer(recipe(tmp_path / name)))
            for recipe, name in ((EmbeddedKafka, "kafka"), (EmbeddedRedis, "redis"))
        ]
        kafka, redis = (server.url for server in servers)
        base = stack.enter_context(open_system(kafka, redis, prefix, tmp_path))
        settings = base.settings.model_copy(
            update={
                "route": ("shop",),
                "inference_log": InferenceLogSettings(enabled=True, features=True, outputs=True),
                "personal": PersonalSettings(PERSONAL, seal=True),
            }
        )
        system = System(settings, base.supervisor, tmp_path, base.clients)
        system.create_topics()
        with system.registry() as registry:
            numbers = compose.Select("amount") | preprocessing.StandardScaler()
            model = pack(numbers | linear_model.LogisticRegression())
            spec = VersionSpec(
                name="shop",
                runtime="river",
                task="binary",
                classes=(False, True),
                input_schema=SCHEMA,
            )
            registry.publish(spec, model, alias="champion")
        for name in ("worker", "joiner", "learner"):
            system.start(name, name)
        system.gateway = f"http://127.0.0.1:{free_port()}"
        port = system.gateway.rpartition(":")[2]
        system.start("gateway", "gateway", "--port", port, "--grpc-port", "-1")
        yield system


def records_of(system, topic):
    return list(read_to_end(system.settings.connection, [topic]))


def post(system, path, **fields):
    answer = httpx.post(f"{system.gateway}/v1/streams/flights/{path}", json=fields, timeout=60)
    assert answer.is_success, answer.text
    return answer.json()


def is_ready(system):
    try:
        return httpx.get(f"{system.gateway}/v2/health/ready", timeout=5).is_success
    except httpx.TransportError:
        return False


def ask_as_anna(system, client):
    """Send requests and labels of Anna, by the gateway and by a client; a label is no class."""
    wait_until(lambda: is_ready(system))
    fields = {"key": "anna", "features": {"amount": 1.0, **ANNA}}
    asked = post(system, "predict", **fields)["request_id"]
    post(system, "labels", id=asked, key="anna", label=True)
    for number in range(4):
        pending = client.send({"amount": float(number), **ANNA}, key="anna")
        client.wait(pending, 60)
        client.label(pending, "maybe" if number == 3 else bool(number % 2), int(time() * 1000))
    client.flush()


def ask_as_rita(system):
    """Send a request of Rita, and a text that is none, by a client that does not seal."""
    plain = system.client()
    plain.wait(plain.send({"amount": 1.0, **RITA}, key="rita"), 60)
    with Publisher(system.settings.connection, "plain") as publisher:
        text = f"no json: {json.dumps(RITA)}".encode()
        publisher.send(ProducerRecord(system.topics.requests, b"rita", text))
        publisher.flush()


def places_with(system, person):
    """Return the files of the servers and services that have a text of a person."""
    Redis.from_url(system.settings.redis).save()
    return count_in_bytes(system.folder, [person[name] for name in TEXTS])


def test_planted_data_are_in_no_byte_and_a_sealed_person_can_be_erased(shop):
    settings, topics = shop.settings, shop.topics
    client = Client(settings.connection, topics, sealer=request_sealer(settings))
    shop.clients.append(client)
    nobody = {"amount": 0.0, "mail": "none", "phone": "none", "age": 0.0}
    shop.wait_until_loaded(client, nobody, "shop")

    ask_as_anna(shop, client)
    ask_as_rita(shop)
    wait_until(lambda: len(records_of(shop, topics.feedback)) >= 5)
    wait_until(lambda: len(records_of(shop, topics.quarantine)) == 1)
    wait_until(lambda: len(records_of(shop, topics.dlq)) == 1)
    exported = shop.run("log", "export")
    assert exported.returncode == 0, exported.stderr

    # Even before, no server, log or table has a text of Anna; Rita's are where she sent them.
    assert places_with(shop, ANNA) == {}
    of_rita = places_with(shop, RITA)
    assert Counter(path.parent.name.rpartition("-")[0] for path in of_rita) == {topics.requests: 1}
    (row,) = [
        json.loads(row["features"])
        for path in shop.folder.glob("inferences/**/*.parquet")
        for row in parquet.read_table(path, columns=["key", "features"]).to_pylist()
        if row["key"] == "rita" and row["features"]
    ]
    assert len(row.pop("mail")) == PSEUDONYM_DIGITS
    assert row == {"amount": 1.0, "age": 60.0, "phone": "+49", "card": None}
    (quarantined,) = records_of(shop, topics.quarantine)
    assert json.loads(quarantined.value)["rule"]
    redriven = shop.run("dlq", "redrive")
    assert redriven.returncode == 0, redriven.stdout + redriven.stderr
    wait_until(lambda: len(records_of(shop, topics.dlq)) == 2)

    alias = PersonKeys.of_home(settings.home).known_alias("anna")
    values = [part for name in TEXTS for part in ("--value", ANNA[name])]
    erased = shop.run("privacy", "erase", "anna", *values, "--bytes", "--json")

    found = {row["place"]: row for row in json.loads(erased.stdout)}
    assert erased.returncode == 0, erased.stdout + erased.stderr
    assert {row["after"] for row in found.values()} == {0}
    assert found["sealed values that can be read"]["before"] >= 4 * 5
    for topic in (topics.requests, topics.predictions, topics.feedback, topics.inferences):
        assert found[topic]["before"] >= 4
    assert found[topics.quarantine]["before"] == 1
    assert places_with(shop, ANNA) == {}
    assert shop.run("privacy", "find", "anna", *values).returncode == 0
    assert codes_of_copy(shop, alias.encode()) == {"personal_data_erased"}


def codes_of_copy(system, key):
    """Send a sealed request again, as from a copy of the topic; return the codes of its answers."""
    copy = next(one for one in records_of(system, system.topics.requests) if one.key == key)
    assert b"sealed:1:" in copy.value
    document = json.loads(copy.value) | {"id": "again"}
    with Publisher(system.settings.connection, "copy") as publisher:
        value = json.dumps(document).encode()
        publisher.send(ProducerRecord(system.topics.requests, copy.key, value))
        publisher.flush()

    def answers():
        values = [one.value for one in records_of(system, system.topics.predictions)]
        return [one for one in map(json.loads, values) if one["id"] == "again"]

    wait_until(answers)
    return {one["code"] for one in answers()}
