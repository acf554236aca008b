"""A broker stalls for a while."""

import os
import signal
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Self

import psutil
import pytest

from modstream.stack.embedded import EmbeddedKafka, EmbeddedServer
from tests.faults.harness import ENDLESS, TIMEOUT_SECONDS, FaultHarness
from tests.faults.killer import stop_process

pytestmark = [pytest.mark.fault, pytest.mark.real]

STALL_SECONDS = 30.0
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker for this module only, which the test stops."""
    with EmbeddedServer(EmbeddedKafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server


@pytest.fixture(scope="module")
def bootstrap(broker: EmbeddedServer):
    return broker.url


class MemoryMonitor:
    """Samples the resident memory of all worker processes in a thread."""

    def __init__(self, targets) -> None:
        self._targets = targets
        self._samples: dict[int, list[int]] = {}
        self._closing = Event()
        self._thread = Thread(target=self._watch, name="memory")

    @property
    def growth(self) -> float:
        """The largest growth of a process since its first sample, in MB."""
        return max(max(sizes) - sizes[0] for sizes in self._samples.values()) / MEGABYTE

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
                    self._samples.setdefault(target.pid, []).append(size)


@pytest.mark.thorough
def test_a_stalled_broker_costs_little_memory_and_workers_catch_up(
    harness: FaultHarness, broker: EmbeddedServer
):
    harness.start_workers(2)
    catch_up_times = []

    with (
        harness.start_run(1000, rate=400, max_in_flight=ENDLESS) as run,
        MemoryMonitor(harness.targets) as memory,
    ):
        run.target = ENDLESS
        for _ in range(harness.times):
            assert run.wait_for_answers(run.answered + 1000, TIMEOUT_SECONDS)
            stop_process(broker.pid)
            time.sleep(STALL_SECONDS)
            sent = run.sent
            os.kill(broker.pid, signal.SIGCONT)
            started = time.monotonic()
            assert run.wait_for_answers(sent, TIMEOUT_SECONDS)
            catch_up_times.append(time.monotonic() - started)
        assert run.is_sending
        run.target = run.sent
        result = harness.finish(
            f"broker stopped {STALL_SECONDS:.0f} s, caught up in {max(catch_up_times):.1f} s,"
            f" +{memory.growth:.0f} MB",
            run,
            len(catch_up_times),
        )

    assert max(catch_up_times) < 2 * STALL_SECONDS
    assert memory.growth < 200
    assert result.fault_counts == {}
