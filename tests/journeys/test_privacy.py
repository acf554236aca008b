"""A person whose data was planted in a stream is erased, and a search of every place finds nothing.

Only the joiner is missing: its changelog is compacted, and Kafka cleans it at a time of its own.
"""

import json

import pytest
from pyarrow import parquet
from river import compose, linear_model, preprocessing

from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.processors.predict.log_settings import InferenceLogSettings
from tests.journeys.conftest import System
from tests.journeys.precompute_runs import wait_until

pytestmark = [pytest.mark.real, pytest.mark.journey]

MAIL, CARD = "anna.berg@mail.example.org", "4111 1111 1111 1111"
PERSON, OTHER = "customer-anna", "customer-bob"
LOG = InferenceLogSettings(enabled=True, features=True, outputs=True)
SCHEMA = InputSchema(
    features=(
        Feature(name="amount", kind="float"),
        Feature(name="contact", kind="string"),
        Feature(name="note", kind="string", missing=True, sensitive=True),
    )
)


@pytest.fixture
def shop(system):
    """A stream with a worker that logs, and a materializer, which has answered two customers."""
    settings = system.settings.model_copy(update={"inference_log": LOG, "route": ("shop",)})
    opened = System(settings, system.supervisor, system.folder, system.clients)
    opened.create_topics()
    with opened.registry() as registry:
        publish(registry)
    opened.start("worker", "worker")
    opened.start("materializer", "materializer")
    client = opened.client()
    opened.wait_until_loaded(client, {"amount": 0.0, "contact": "none"}, "shop")
    for number in range(20):
        for key, contact in ((PERSON, f"{MAIL} {CARD}"), (OTHER, "bob")):
            row = {"amount": float(number), "contact": contact}
            client.wait(client.send(row, key=key), 60)
    # A later record of another person, which must survive.
    client.wait(client.send({"amount": 99.0, "contact": "bob"}, key=OTHER), 60)
    with open_prediction_store(settings) as store:
        wait_until(lambda: store.get("shop", PERSON) and store.get("shop", OTHER))
    return opened


def publish(registry: Registry):
    numbers = compose.Select("amount") | preprocessing.StandardScaler()
    model = numbers | linear_model.LogisticRegression()
    spec = VersionSpec(
        name="shop", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA
    )
    registry.publish(spec, pack(model), alias="champion")


def places(done):
    return {row["place"].rpartition("/")[2]: row for row in json.loads(done.stdout)}


def protected(system):
    """Return the pseudonyms in a protected copy of the table of customers."""
    source = system.folder.parent / "customers.csv"
    columns = ("--person", "customer", "--pseudonymise", "customer", "--pseudonymise", "mail")
    target = system.folder.parent / "protected.parquet"
    done = system.run(
        "privacy", "protect", str(source), "--to", str(target), *columns, "-m", "shop"
    )
    assert done.returncode == 0, done.stderr
    found = parquet.read_table(target)
    assert found.column_names == ["customer", "mail"]  # `note` is marked as sensitive
    return found.to_pylist()


def test_a_planted_person_is_found_everywhere_and_after_the_erasure_nowhere(shop):
    assert shop.run("log", "export").returncode == 0
    built = shop.run("views", "build", "by_key", "--by", "key", "--measure", "n = count()")
    assert built.returncode == 0, built.stderr
    topics = shop.topics

    scanned = shop.run("privacy", "scan", str(shop.folder), "--stream", "flights", "--json")
    found = {(row["place"], row["kind"]) for row in json.loads(scanned.stdout)}
    assert scanned.returncode == 1
    for topic in (topics.requests, topics.predictions, topics.inferences):
        assert {(topic, "email"), (topic, "card")} <= found
    assert MAIL not in scanned.stdout

    table = f"customer,mail,note\n{PERSON},{MAIL},x\n{OTHER},bob@example.org,y\n"
    (shop.folder.parent / "customers.csv").write_text(table)
    pseudonyms = protected(shop)

    arguments = (PERSON, "--value", MAIL, "--value", CARD, "--json")
    before = places(shop.run("privacy", "find", *arguments))
    assert {topics.requests, topics.predictions, topics.inferences} <= before.keys()
    assert {"by_key.parquet", "prediction store"} <= before.keys()
    assert any(name.startswith(("0-", "1-", "2-")) for name in before)

    kept = shop.run("privacy", "erase", *arguments)
    assert kept.returncode == 1
    left = {name: row for name, row in places(kept).items() if row["after"]}
    # A version marker has the key of the first request that a version has answered.
    assert left.keys() - {topics.version_markers} == {
        topics.requests,
        topics.predictions,
        topics.inferences,
    }
    assert all("--truncate" in row["note"] for row in left.values())

    erased = shop.run("privacy", "erase", *arguments, "--truncate")

    assert erased.returncode == 0, erased.stdout + erased.stderr
    assert {row["after"] for row in places(erased).values()} == {0}
    assert places(kept)["key of pseudonyms"]["before"] == 1
    # The copies that were made before belong to nobody any more.
    assert protected(shop)[0] != pseudonyms[0]
    assert protected(shop)[1] == pseudonyms[1]
    again = shop.run("privacy", "find", *arguments)
    assert (again.returncode, json.loads(again.stdout)) == (0, [])
    clean = shop.run("privacy", "scan", str(shop.folder), "--stream", "flights", "--json")
    assert (clean.returncode, json.loads(clean.stdout)) == (0, []), clean.stdout
    others = shop.run("privacy", "find", OTHER, "--json")
    assert others.returncode == 1
    assert {"by_key.parquet", "prediction store"} <= places(others).keys()
    assert shop.run("log", "export").returncode == 0
    rows = shop.run("log", "query", "SELECT DISTINCT key FROM inferences", "--format", "json")
    assert PERSON not in rows.stdout
    assert OTHER in rows.stdout
