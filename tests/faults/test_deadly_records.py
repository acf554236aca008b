"""A record that ends its worker costs two restarts at most, and no other record its answer."""

import sys

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import ProducerRecord
from modstream.operations.verify.echo import ECHO_MODEL
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.run import VerificationRun
from modstream.process.supervisor import Command
from modstream.stack.local_stack import child_environment
from tests.faults.deadly_worker import DIE
from tests.faults.harness import (
    SHORT_SESSIONS,
    TIMEOUT_SECONDS,
    FaultHarness,
    at_progress,
    wait_until,
)

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

REQUESTS = 3_000
STALL_TIMEOUT_SECONDS = 4.0
HANGS = {"hang", "lock"}


def start_deadly_workers(harness: FaultHarness, count, seconds=0.0, **changes):
    for number in range(count):
        update = {"instance_id": str(number), "kafka": SHORT_SESSIONS, **changes}
        found = child_environment(harness.settings.model_copy(update=update))
        argv = (sys.executable, "-m", "tests.faults.deadly_worker", str(seconds))
        harness.supervisor.start(Command(f"worker-{number}", argv, found))
    harness.wait_for_members(count)


def internal_errors(harness: FaultHarness):
    """Return the dead letters with the code internal_error: key, exception, and its message."""
    letters = read_to_end(harness.settings.connection, [harness.settings.topics().dlq])
    causes = [(letter.key, read_cause(letter)) for letter in letters]
    return [
        (key, cause["exception.class.name"], cause["exception.message"])
        for key, cause in causes
        if cause["class.name"] == "internal_error"
    ]


@pytest.mark.parametrize(
    ("way", "workers", "restarts", "exception"),
    [
        ("raise", 1, 0, "ArithmeticError"),
        pytest.param("exit", 1, 0, "SystemExit", marks=pytest.mark.thorough),
        pytest.param("segfault", 1, 2, "ProcessKilled", marks=pytest.mark.thorough),
        ("segfault", 2, 2, "ProcessKilled"),
        pytest.param("kill", 1, 2, "ProcessKilled", marks=pytest.mark.thorough),
        pytest.param("hang", 1, 2, "ProcessKilled", marks=pytest.mark.thorough),
        ("lock", 1, 2, "ProcessKilled"),
    ],
    ids=str,
)
def test_a_deadly_record_becomes_a_dead_letter(
    harness: FaultHarness, way, workers, restarts, exception
):
    # A worker that takes over a partition waits up to 15 s for the dead one's transaction.
    changes = {"stall_timeout": STALL_TIMEOUT_SECONDS} if way in HANGS else {}
    start_deadly_workers(harness, workers, **changes)
    settings = harness.settings
    publisher = Publisher(settings.connection, "deadly")
    plan = VerificationPlan(REQUESTS, ECHO_MODEL, keys=100, rate=500, seed=harness.seed)

    with VerificationRun(settings, plan) as run:
        for _ in at_progress(run, 1):
            value = b'{"id":"deadly","model":"%b","features":{}}' % ECHO_MODEL.encode()
            headers = ((DIE, way.encode()),)
            publisher.send(ProducerRecord(settings.topics().requests, b"deadly", value, headers))
            publisher.flush()
        result = harness.finish(f"deadly record: {way}", run, 1)

    assert result.fault_counts == {}
    assert result.exits.keys() == {"prediction"}
    ((key, name, message),) = internal_errors(harness)
    assert (key, name) == (b"deadly", exception)
    assert f"ended {restarts} times" in message or not restarts
    assert sum(row.restarts for row in harness.supervisor.status()) == restarts
    assert run.answered >= REQUESTS


def test_a_worker_that_is_killed_while_it_handles_requests_answers_them_all(harness: FaultHarness):
    """Whoever kills it from outside hits innocent records: in a batch, and then alone."""
    start_deadly_workers(harness, 1, seconds=0.02)
    plan = VerificationPlan(600, ECHO_MODEL, keys=100, rate=100, seed=harness.seed)

    with VerificationRun(harness.settings, plan) as run:
        for count, _ in enumerate(at_progress(run, 5 * harness.times), start=1):
            harness.supervisor.kill("worker-0")
            wait_until(lambda count=count: harness.row(0).restarts == count, "the next process")
            assert run.wait_for_answers(run.answered + 20, TIMEOUT_SECONDS)
        result = harness.finish("kill -9 in the handler", run, 5 * harness.times)

    assert result.fault_counts == {}
    assert result.exits.keys() == {"prediction"}
    assert internal_errors(harness) == []
    assert harness.log(0).count("a process died") >= 2 * harness.times
