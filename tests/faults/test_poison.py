"""One record in a hundred is poison: it has its own exit, and costs good requests little."""

import os
import signal
from statistics import median
from time import monotonic
from typing import NamedTuple

import psutil
import pytest

from modstream.broker.client.batch_settings import BatchSettings
from modstream.operations.verify.echo import ECHO_MODEL
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.run import VerificationRun
from modstream.operations.verify.sent_log import SendStatus
from tests.faults.harness import TIMEOUT_SECONDS, FaultHarness, wait_until
from tests.faults.killer import stop_process
from tests.faults.poison import LARGE_POISON, PoisonProducer

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

REQUESTS = 24_000
"""Requests of a part, for more than a second, so that the start has little influence."""
ONE_IN = 100
ROUNDS = 1
"""Rounds of a clean part, one with poison, and one with a poison record of 10 MB in addition. That
record alone has three times the bytes of the part's good requests."""

LONG_SESSIONS = {"session.timeout.ms": "45000"}
"""A worker that is stopped for a while must stay in its group."""


class Part(NamedTuple):
    """A part of the run: its good requests, their time, and the worker's CPU seconds."""

    requests: int
    seconds: float
    cpu: float


def cpu_seconds(pid):
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def measure(harness: FaultHarness, requests, poisoner=None):
    """Send good requests and poison to a worker; return part, audit result and seconds.

    The worker is stopped while they are sent, so that its work in full batches is measured.
    """
    (worker,) = harness.targets()
    stop_process(worker.pid)
    with VerificationRun(
        harness.settings, VerificationPlan(requests, ECHO_MODEL, seed=harness.seed)
    ) as run:
        while poisoner is not None and poisoner.sent < requests // ONE_IN:
            wait_until(lambda: run.sent > ONE_IN * poisoner.sent, "good requests", pause=0.001)
            poisoner.send()
        if poisoner is not None:
            poisoner.flush()
        wait_until(lambda: acknowledged(run) == requests, "all acknowledged")
        cpu, started = cpu_seconds(worker.pid), monotonic()
        os.kill(worker.pid, signal.SIGCONT)
        assert run.wait_for_answers(requests, TIMEOUT_SECONDS)
        part = Part(requests, monotonic() - started, cpu_seconds(worker.pid) - cpu)
        return part, run.finish(), run.seconds


def acknowledged(run: VerificationRun):
    return sum(one.status is SendStatus.OK for one in list(run.sent_log.sent.values()))


def describe(parts):
    """Yield throughput and cost with poison, relative to the clean part of the same round."""
    metrics = {
        "throughput of good requests": ("/s", lambda p: p.requests / p.seconds),
        "CPU of the worker per good request": (" µs", lambda p: 1e6 * p.cpu / p.requests),
    }
    for name, (unit, value_of) in metrics.items():
        clean = [value_of(part) for part in parts["clean"]]
        yield (
            f"{name}: {median(clean):,.0f}{unit} without poison"
            f" ({min(clean):,.0f} to {max(clean):,.0f})"
        ) + "".join(
            f", {median(value_of(p) / c for p, c in zip(parts[kind], clean, strict=True)):.3f}"
            f" of that with {kind}"
            for kind in ("poison", LARGE_POISON)
        )


def test_poison_leaves_by_exactly_one_exit_and_no_good_request_is_lost(harness: FaultHarness):
    harness.start_workers(1, batch=BatchSettings(), kafka=LONG_SESSIONS)
    topics, requests, rounds = harness.settings.topics(), REQUESTS, ROUNDS * harness.times
    poisoner = PoisonProducer(harness.settings.connection, topics, ECHO_MODEL, keys=100)
    measure(harness, requests)  # warm-up

    parts = {"clean": [], "poison": [], LARGE_POISON: []}
    for kind in [*parts] * rounds:
        poisoner.reset(large=1 if kind == LARGE_POISON else 0)
        part, result, seconds = measure(harness, requests, None if kind == "clean" else poisoner)
        parts[kind].append(part)
        assert result.fault_counts == {}
        assert result.exits == {"prediction": requests}
        if kind != "clean":
            harness.table.add(f"1% {kind}", result, poisoner.sent, 0, seconds)

    exits = poisoner.actual_exits()
    assert {position: [one] for position, one in poisoner.expected_exits.items()} == exits
    assert len(exits) >= 2 * rounds * requests // ONE_IN
    assert len(set(poisoner.expected_exits.values())) == 4, "every exit occurred"
    assert harness.row(0).restarts == 0
    harness.table.notes.extend(f"1% poison: {line}" for line in describe(parts))
