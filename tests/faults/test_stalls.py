"""A broker that stands still for a while."""

import os
import signal
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Self

import psutil
import pytest

from modstream.stack.embedded import EmbeddedKafka, Server
from tests.faults.harness import ENDLESS, SECONDS
from tests.faults.killer import stop

pytestmark = [pytest.mark.fault, pytest.mark.real]

STALL = 30.0
"""Seconds."""
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
    scene.start_workers(2)
    took = []

    with scene.trial(1000, rate=400, ahead=ENDLESS) as trial, Memory(scene.targets) as memory:
        trial.wanted = ENDLESS
        for _ in range(scene.times):
            assert trial.await_answers(trial.answered + 1000, SECONDS)
            stop(broker.pid)
            time.sleep(STALL)
            waiting = trial.sent
            os.kill(broker.pid, signal.SIGCONT)
            begun = time.monotonic()
            assert trial.await_answers(waiting, SECONDS)
            took.append(time.monotonic() - begun)
        assert trial.is_sending
        trial.wanted = trial.sent
        verdict = scene.judge(
            f"broker stopped {STALL:.0f} s, caught up in {max(took):.1f} s,"
            f" +{memory.growth:.0f} MB",
            trial,
            len(took),
        )

    assert max(took) < 2 * STALL
    assert memory.growth < 200
    assert verdict.found == {}
