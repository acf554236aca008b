"""A broker that stands still for a while."""

import os
import signal
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Self

import psutil
import pytest

from modstream.embedded import EmbeddedKafka, Server
from tests.faults.gun import stop
from tests.faults.harness import SECONDS

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.real, pytest.mark.timeout(600)]

FULL = 30.0
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker of this module's own, to be stopped; the scenes run on it."""
    with Server(EmbeddedKafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server


@pytest.fixture(scope="module")
def bootstrap(broker):
    return broker.url


class Memory:
    """Watches the workers' resident memory in a thread, also of those that are started later."""

    def __init__(self, targets) -> None:
        self._targets = targets
        self._seen: dict[int, list[int]] = {}
        self._closing = Event()
        self._thread = Thread(target=self._watch, name="memory")

    @property
    def growth(self) -> float:
        """The most that one process has grown since it was first looked at, in MB."""
        return max(max(sizes) - sizes[0] for sizes in self._seen.values()) / MEGABYTE

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(0.2):
            for target in filter(lambda target: target.is_ready, self._targets()):
                with suppress(psutil.NoSuchProcess):
                    size = psutil.Process(target.pid).memory_info().rss
                    self._seen.setdefault(target.pid, []).append(size)


def test_a_broker_that_stands_still_costs_little_memory_and_is_caught_up_with(scene, broker):
    stall = min(FULL, 15.0 * scene.times)
    scene.start_workers(2)

    with scene.trial(18_000, rate=400, ahead=18_000) as trial:
        assert trial.await_answers(2000, SECONDS)
        with Memory(scene.targets) as memory:
            stop(broker.pid)
            time.sleep(stall)
            waiting = int(trial.sent)
            os.kill(broker.pid, signal.SIGCONT)
            begun = time.monotonic()
            assert trial.await_answers(waiting, SECONDS)
            took = time.monotonic() - begun
        verdict = scene.judge(
            f"broker stopped {stall:.0f} s, caught up in {took:.1f} s, +{memory.growth:.0f} MB",
            trial,
            1,
        )

    assert waiting < trial.plan.number
    assert took < 2 * stall
    assert memory.growth < 200
    assert verdict.found == {}
