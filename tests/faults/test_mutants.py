"""The account is not blind: broken workers are caught, and the genuine one passes the same runs."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.topics import TopicSpec
from modstream.operations.verify.audit import Fault
from modstream.operations.verify.echo import ECHO, publish_echo
from modstream.operations.verify.load import Plan
from modstream.operations.verify.observer import Witness
from modstream.operations.verify.run import Trial
from modstream.services.worker import run_worker
from tests.faults.cases import CASES, NARROW
from tests.faults.harness import marks, until
from tests.faults.injected_faults import Hits

pytestmark = pytest.mark.real

REQUESTS = 3000
PATIENCE = 3.0
ENDED = 60.0


class Crew:
    """Workers in threads of this process; one that is lost is started again."""

    def __init__(self, settings, parts):
        self._settings = settings
        self._parts = parts
        self._threads = ThreadPoolExecutor(4, "worker")
        self._running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for slot in list(self._running):
            self.stop(slot)
        self._threads.shutdown()

    def start(self, slot):
        stop = Event()
        self._running[slot] = stop, self._threads.submit(self._work, slot, stop)

    def stop(self, slot):
        stop, work = self._running.pop(slot)
        stop.set()
        work.result(ENDED)

    def await_members(self):
        """Wait until every running worker has partitions, and nobody else."""
        group, wanted = self._settings.topics().group("worker"), len(self._running)
        admin = Admin(self._settings.connection)
        until(lambda: admin.members(group) == wanted, f"{wanted} members")

    def is_running(self, slot):
        return slot in self._running

    def _work(self, slot, stop):
        settings = self._settings.model_copy(update={"slot": str(slot)})
        while not stop.is_set():
            with suppress(ProducerLost):
                run_worker(settings, stop, self._parts)


def run(settings, parts, case, hits, witness, seed):
    """One run of a case: the verdict on its workers."""
    settings = settings.model_copy(update={"delivery": case.delivery})
    Admin(settings.connection).create(
        [
            *settings.specs(),
            TopicSpec(f"{settings.prefix}{NARROW}", 1, {"max.message.bytes": "10"}),
        ]
    )
    publish_echo(settings)
    plan = Plan(REQUESTS, ECHO, keys=50, rate=case.rate, seed=seed)
    with Crew(settings, parts) as crew, Trial(settings, plan, alone=True, witness=witness) as trial:
        crew.start(0)
        for _ in marks(trial, 3, share=0.75) if case.disturb else ():
            case.disturb(crew)
            hits["disturbed"] += 1
        for _ in trial.progress(PATIENCE):
            pass
        return trial.verdict(PATIENCE), trial.seconds


@pytest.mark.parametrize("name", CASES)
def test_a_broken_worker_is_caught(name, settings, table, pytestconfig):
    case, hits = CASES[name], Hits()

    verdict, _ = run(
        settings, case.mutant(hits), case, hits, case.witness, pytestconfig.getoption("--seed")
    )

    assert hits[case.harm] > 0
    assert case.caught <= {fault for fault in Fault if verdict.count(fault)}


@pytest.mark.parametrize("name", CASES)
def test_the_genuine_worker_passes_the_same_run(name, settings, table, pytestconfig):
    case, hits = CASES[name], Hits()

    verdict, seconds = run(
        settings, case.genuine(hits), case, hits, Witness, pytestconfig.getoption("--seed")
    )

    table.add(f"unless it {name}", verdict, hits.total, 0, seconds)
    assert hits.total > 0 or not case.needs_a_fault
    assert verdict.found == {}
