"""A user's own stream, watched while it runs, and accounted for from its topics."""

import json
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Event
from time import monotonic, time

import pytest
from rich.console import Console

from modstream.cli.watch import watch_stream
from modstream.live import view
from tests.journeys.conftest import TIMEOUT_SECONDS, with_route
from tests.models.constant_model import publish_constant

pytestmark = [pytest.mark.real, pytest.mark.journey]

NAME = "biased"
REQUESTS, LABELS = 40, 30


@pytest.fixture
def answered(system):
    """A stream of another name than the demo's, with a worker, without a joiner or a learner."""
    system = with_route(system, NAME, stream="parcels")
    system.create_topics()
    with system.registry() as registry:
        publish_constant(registry, 1, NAME)
    system.start("worker", "worker")
    client = system.client()
    sent = [client.send({"distance": float(n)}, id=f"r-{n}") for n in range(REQUESTS)]
    for request in sent:
        client.wait_first(request, TIMEOUT_SECONDS)
    return system


def run_report(system, *arguments):
    done = system.run("report", "parcels", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def wait_for(condition):
    deadline = monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert monotonic() < deadline


def test_a_stream_without_labels_is_accounted_for_and_what_is_missing_is_said(answered):
    wait_for(lambda: run_report(answered)[1]["delivery"]["waiting"] == 0)

    done = answered.run("report", "parcels")

    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"SOUND  Each of {REQUESTS} requests has exactly one response")
    assert "No labels: the report says nothing about joins and quality." in done.stdout
    assert "No learner has published a version" in done.stdout
    lag = answered.run("topics", "lag", "parcels", "--json")
    assert {(row["service"], row["running"]) for row in json.loads(lag.stdout)} == {
        ("worker", True)
    }
    assert "joiner and learner" in lag.stderr


def test_labels_are_joined_once_in_the_report_the_page_and_the_view(
    answered, tmp_path, monkeypatch
):
    answered.start("joiner", "joiner")
    client = answered.client()
    for number in range(LABELS):
        client.label(f"r-{number}", value=number % 2 == 0, event_time=int(time() * 1000))
    client.flush()
    wait_for(lambda: run_report(answered)[1]["labels"]["joined"] == LABELS)
    page = tmp_path / "page.html"

    code, found = run_report(answered, "--since", "1h", "--out", str(page))
    later = answered.run("report", "parcels", "--since", "2099-01-01")

    assert (code, found["sound"]) == (0, True)
    assert found["delivery"]["requests"] == REQUESTS
    assert found["quality"][0]["labelled"] == LABELS
    assert "<svg" in page.read_text()
    assert later.returncode == 1
    assert "no processed requests in this time span" in later.stderr

    line = watched(answered, monkeypatch)
    assert f"{REQUESTS} requests" in line
    assert f"{LABELS} joined" in line
    assert "learner" not in line


def watched(system, monkeypatch) -> str:
    """Return a line of the live view once it has read all labels."""
    monkeypatch.setattr(view, "LINE_INTERVAL_S", 0.2)
    stop, file = Event(), StringIO()
    begin = int((time() - 3600) * 1000)
    with ThreadPoolExecutor(1) as pool:
        console = Console(file=file, width=200)
        running = pool.submit(watch_stream, system.settings, begin, stop, console, "parcels")
        try:
            wait_for(
                lambda: f"{LABELS} joined" in file.getvalue() and "lag worker" in file.getvalue()
            )
        finally:
            stop.set()
            running.result(TIMEOUT_SECONDS)
    return file.getvalue().splitlines()[-1]
