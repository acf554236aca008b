"""The audit detects broken workers, and the correct worker passes the same runs."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.topics import TopicSpec
from modstream.operations.verify.audit import Fault
from modstream.operations.verify.echo import ECHO_MODEL, publish_echo
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.observer import Observer
from modstream.operations.verify.run import VerificationRun
from modstream.services.worker import run_worker
from tests.faults.cases import CASES, TOO_SMALL, correct_runs
from tests.faults.harness import at_progress, wait_until
from tests.faults.injected_faults import FaultCounts
from tests.faults.summary import SummaryTable

pytestmark = [pytest.mark.real, pytest.mark.long]

REQUESTS = 3000
QUIET_SECONDS = 3.0
"""How long a worker may make no progress, once it is broken, before its run ends: what it loses
never comes."""
PATIENCE_SECONDS = 60.0
"""The same for the correct worker, whose run ends as soon as everything is answered."""
STOP_TIMEOUT_SECONDS = 60.0


class ThreadWorkers:
    """Workers in threads of this process; a failed worker is restarted."""

    def __init__(self, settings, factories):
        self._settings = settings
        self._factories = factories
        self._threads = ThreadPoolExecutor(4, "worker")
        self._running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in list(self._running):
            self.stop(number)
        self._threads.shutdown()

    def start(self, number):
        stop = Event()
        self._running[number] = stop, self._threads.submit(self._work, number, stop)

    def stop(self, number):
        stop, work = self._running.pop(number)
        stop.set()
        work.result(STOP_TIMEOUT_SECONDS)

    def wait_for_members(self):
        """Wait until exactly the running workers have partitions."""
        group, expected = self._settings.topics().group("worker"), len(self._running)
        admin = Admin(self._settings.connection)
        wait_until(lambda: admin.count_members(group) == expected, f"{expected} members")

    def is_running(self, number):
        return number in self._running

    def _work(self, number, stop):
        settings = self._settings.model_copy(update={"instance_id": str(number)})
        while not stop.is_set():
            with suppress(ProducerLost):
                run_worker(settings, stop, self._factories)


def run_case(settings, factories, case, hits, observer, seed, *, patience=QUIET_SECONDS):
    """Run one case; return the result of the audit and the seconds of the run."""
    settings = settings.model_copy(update={"delivery": case.delivery})
    Admin(settings.connection).create(
        [
            *settings.topic_specs(),
            TopicSpec(f"{settings.prefix}{TOO_SMALL}", 1, {"max.message.bytes": "10"}),
        ]
    )
    publish_echo(settings)
    plan = VerificationPlan(REQUESTS, ECHO_MODEL, keys=50, rate=case.rate, seed=seed)
    with (
        ThreadWorkers(settings, factories) as workers,
        VerificationRun(settings, plan, is_alone=True, make_observer=observer) as run,
    ):
        workers.start(0)
        for _ in at_progress(run, 3, share=0.75) if case.disturb else ():
            case.disturb(workers)
            hits["disturbed"] += 1
        for _ in run.progress(PATIENCE_SECONDS):
            if hits[case.required_hit]:
                break
        for _ in run.progress(patience):
            pass
        return run.finish(patience), run.seconds


@pytest.mark.parametrize("name", CASES)
def test_a_broken_worker_is_detected(name, settings, table: SummaryTable, pytestconfig):
    case, hits = CASES[name], FaultCounts()

    result, _ = run_case(
        settings, case.mutant(hits), case, hits, case.observer, pytestconfig.getoption("--seed")
    )

    assert hits[case.required_hit] > 0
    assert case.expected_faults <= {fault for fault in Fault if result.count(fault)}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.fault, pytest.mark.thorough] if number else [])
        for number, name in enumerate(correct_runs())
    ],
)
def test_the_correct_worker_passes_the_same_run(name, settings, table: SummaryTable, pytestconfig):
    case, hits = CASES[name], FaultCounts()

    seed = pytestconfig.getoption("--seed")
    result, seconds = run_case(
        settings, case.correct(hits), case, hits, Observer, seed, patience=PATIENCE_SECONDS
    )

    table.add(f"correct worker, where a mutant {name}", result, hits.total, 0, seconds)
    assert hits.total > 0 or not case.needs_a_fault
    assert result.fault_counts == {}
