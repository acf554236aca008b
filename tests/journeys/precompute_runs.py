"""Precompute runs of a system of processes, and what its topics and its store have in the end."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.contracts import Prediction, Request
from modstream.models.examples.echo import make_echo
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.stack.local_stack import child_environment
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system, with_route

MODEL = "flights"


@contextmanager
def open_precompute_system(bootstrap, redis_url, folder) -> Iterator[System]:
    """Open a stream of the echo model with a worker and a materializer."""
    with open_system(bootstrap, redis_url, f"p{folder.stat().st_ino}.", folder) as opened:
        routed = with_route(opened, MODEL)
        routed.create_topics()
        publish_echo(routed)
        routed.start("worker", "worker")
        routed.start("materializer", "materializer")
        yield routed


def publish_echo(system, **changes):
    spec, artifact = make_echo(MODEL)
    with system.registry() as registry:
        return registry.publish(spec.model_copy(update=changes), artifact, alias="champion")


def write_rows(path, count, first=0):
    """Write JSON lines whose key tells the number, which the model returns."""
    lines = (json.dumps({"tail": f"N{first + n}", "hash": first + n}) for n in range(count))
    path.write_text("\n".join(lines))
    return path


def start(system, *arguments):
    command = [sys.executable, "-m", "modstream", "precompute", "--model", MODEL, *arguments]
    return subprocess.Popen(
        command,
        cwd=system.folder,
        env=child_environment(system.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition, process=None):
    """Wait for a condition while a process runs."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert process is None or process.poll() is None, process.stderr.read()
        assert monotonic() < deadline
        Event().wait(0.02)


def kill_after(system, requests, *arguments):
    """Start a run, and kill it once so many further requests are in the topic, sent or aborted."""
    before = count_records(system, system.topics.requests)
    with start(system, *arguments) as process:
        wait_until(
            lambda: count_records(system, system.topics.requests) - before > requests, process
        )
        process.send_signal(signal.SIGKILL)


def count_records(system, topic):
    return sum(Admin(system.settings.connection).end_offsets([topic]).values())


def predictions_of(system, ids):
    """Return the predictions of the requests whose ids have a prefix, by key."""
    found = Counter()
    for record in read_to_end(system.settings.connection, [system.topics.predictions]):
        response = decode_response(record)
        if response.id.startswith(ids):
            assert isinstance(response, Prediction), response
            found[record.key.decode(), response.outputs["value"]] += 1
    return found


def requests_of(system, ids):
    """Return the ids of the committed requests that have a prefix."""
    topic = system.topics.requests
    requests = read_to_end(system.settings.connection, [topic])
    found = (Request.model_validate_json(record.value).id for record in requests)
    return [one for one in found if one.startswith(ids)]


def wait_until_stored(system, keys):
    """Wait until the store has predictions of so many keys."""
    with open_prediction_store(system.settings) as store:
        wait_until(lambda: sum(store.count_versions(MODEL).values()) >= keys)


def check_run(system, result, rows):
    """Check that a run has one prediction of each row, and sent each row once."""
    assert (result["rows"], result["predicted"], result["refused"]) == (rows, {"1": rows}, {})
    expected = {(f"N{n}", float(n)): 1 for n in range(rows)}
    assert predictions_of(system, result["ids"]) == expected
    first_attempts = [one for one in requests_of(system, result["ids"]) if "~" not in one]
    assert len(first_attempts) == len(set(first_attempts)) == rows


def check_store(system, result, rows):
    """Check that the store has the predictions of a run."""
    wait_until_stored(system, rows)
    with open_prediction_store(system.settings) as store:
        for number in range(0, rows, 97):
            found = store.get(MODEL, f"N{number}")
            assert (found.outputs, found.version) == ({"value": float(number)}, 1)
            assert found.id == f"{result['ids']}{number}"
        assert store.count_versions(MODEL) == {1: rows}
