"""Lambda architecture: a batch view and the newest records count every request once."""

import json

import pytest

from modstream.models.examples.echo import make_echo
from modstream.processors.predict.log_settings import InferenceLogSettings
from tests.journeys.conftest import System

pytestmark = [pytest.mark.real, pytest.mark.journey]

LOG = InferenceLogSettings(enabled=True, features=True, outputs=True)
MEASURES = (
    ("--measure", "requests = count()"),
    ("--measure", "total = sum((outputs->>'value')::DOUBLE)"),
    ("--measure", "newest = newest((outputs->>'value')::DOUBLE)"),
)


@pytest.fixture
def logged(system):
    """A system whose worker writes the inference log."""
    settings = system.settings.model_copy(update={"inference_log": LOG, "route": ("echo",)})
    opened = System(settings, system.supervisor, system.folder, system.clients)
    opened.create_topics()
    spec, content = make_echo("echo")
    with opened.registry() as registry:
        registry.publish(spec, content, alias="champion")
    opened.start("worker", "worker")
    return opened


def ask(system, client, numbers):
    system.wait_until_loaded(client, {"hash": -1.0}, "echo")
    ids = [client.send({"hash": float(number)}, key=f"k{number % 3}") for number in numbers]
    for one in ids:
        client.wait(one, 60)


def rows_of(system, *options):
    done = system.run("views", "show", "by_key", "--json", *options)
    assert done.returncode == 0, done.stderr
    return {row["key"]: row for row in json.loads(done.stdout)}


def test_batch_and_speed_layer_count_every_request_once(logged):
    client = logged.client()
    ask(logged, client, range(60))
    assert logged.run("log", "export").returncode == 0
    options = ("--by", "key", "--where", "key LIKE 'k%'")
    built = logged.run("views", "build", "by_key", *options, *sum(MEASURES, ()))
    assert built.returncode == 0, built.stderr

    ask(logged, client, range(60, 100))

    batch, merged = rows_of(logged, "--batch-only"), rows_of(logged)
    assert {key: row["requests"] for key, row in batch.items()} == dict.fromkeys(batch, 20)
    expected = {
        f"k{rest}": {
            "key": f"k{rest}",
            "requests": len(range(rest, 100, 3)),
            "total": float(sum(range(rest, 100, 3))),
            "newest": float(range(rest, 100, 3)[-1]),
        }
        for rest in range(3)
    }
    assert merged == expected

    # Exported and built again, the history counts what the stream counted before.
    logged.run("log", "export")
    assert logged.run("views", "build", "by_key").returncode == 0
    assert rows_of(logged, "--batch-only") == rows_of(logged) == expected
