"""One record in a hundred is poison: it leaves by its own door and costs the others little."""

import os
import signal
from statistics import median
from time import monotonic
from typing import NamedTuple

import psutil
import pytest

from modstream.broker.client.consumer import BatchSettings
from modstream.operations.verify.echo import ECHO
from modstream.operations.verify.load import Plan
from modstream.operations.verify.run import Trial
from modstream.operations.verify.sent_log import Fate
from tests.faults.harness import SECONDS, until
from tests.faults.killer import stop
from tests.faults.poison import LARGE, Poisoner

pytestmark = [pytest.mark.fault, pytest.mark.real]

REQUESTS = 24_000
"""Of a part: a second and more, so that it is not its beginning that is measured."""
ONE_IN = 100
ROUNDS = 4
"""Each of a clean part, one with poison, and one with a record of 10 MB among the poison; that
alone has three times the bytes of the part's good requests."""

LONG_SESSIONS = {"session.timeout.ms": "45000"}
"""A worker that is stopped for a while shall stay in its group."""


class Part(NamedTuple):
    """One part of the run: good requests per second, and the worker's CPU seconds for them."""

    requests: int
    seconds: float
    cpu: float


def cpu_seconds(pid):
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def measured(scene, requests, poisoner=None):
    """Let a worker find good requests, poison among them; returns part, verdict, seconds.

    It is stopped while they are sent: what is measured is its own work, in full batches.
    """
    (worker,) = scene.targets()
    stop(worker.pid)
    with Trial(scene.settings, Plan(requests, ECHO, seed=scene.seed)) as trial:
        while poisoner is not None and poisoner.sent < requests // ONE_IN:
            until(lambda: trial.sent > ONE_IN * poisoner.sent, "good requests", pause=0.001)
            poisoner.send()
        if poisoner is not None:
            poisoner.flush()
        until(lambda: acknowledged(trial) == requests, "all acknowledged")
        cpu, begun = cpu_seconds(worker.pid), monotonic()
        os.kill(worker.pid, signal.SIGCONT)
        assert trial.await_answers(requests, SECONDS)
        part = Part(requests, monotonic() - begun, cpu_seconds(worker.pid) - cpu)
        return part, trial.verdict(), trial.seconds


def acknowledged(trial):
    return sum(one.fate is Fate.OK for one in list(trial.journal.sent.values()))


def told(parts):
    """Throughput and cost with poison against those of the clean part beside it."""
    figures = {
        "throughput of good requests": ("/s", lambda p: p.requests / p.seconds),
        "CPU of the worker per good request": (" µs", lambda p: 1e6 * p.cpu / p.requests),
    }
    for name, (unit, figure) in figures.items():
        clean = [figure(part) for part in parts["clean"]]
        yield (
            f"{name}: {median(clean):,.0f}{unit} without poison"
            f" ({min(clean):,.0f} to {max(clean):,.0f})"
        ) + "".join(
            f", {median(figure(p) / c for p, c in zip(parts[kind], clean, strict=True)):.3f}"
            f" of that with {kind}"
            for kind in ("poison", LARGE)
        )


def test_poison_among_good_requests_leaves_by_one_door_and_costs_no_good_one(scene):
    scene.start_workers(1, batch=BatchSettings(), kafka=LONG_SESSIONS)
    topics, requests, rounds = scene.settings.topics(), REQUESTS, ROUNDS * scene.times
    poisoner = Poisoner(scene.settings.connection, topics, ECHO, keys=100)
    measured(scene, requests)  # the first requests pay for what is cold

    parts = {"clean": [], "poison": [], LARGE: []}
    for kind in [*parts] * rounds:
        poisoner.begin(large=1 if kind == LARGE else 0)
        part, verdict, seconds = measured(scene, requests, None if kind == "clean" else poisoner)
        parts[kind].append(part)
        assert verdict.found == {}
        assert verdict.ways_out == {"prediction": requests}
        if kind != "clean":
            scene.table.add(f"1% {kind}", verdict, poisoner.sent, 0, seconds)

    ways = poisoner.ways_out()
    assert {place: [way] for place, way in poisoner.due.items()} == ways
    assert len(ways) >= 2 * rounds * requests // ONE_IN
    assert len(set(poisoner.due.values())) == 4, "every way out was taken"
    assert scene.row(0).restarts == 0
    scene.table.notes.extend(f"1% poison: {line}" for line in told(parts))
