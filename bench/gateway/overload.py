"""The gateway under five times the load that it can answer: refusals, memory and latency."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import msgspec
import numpy as np

from bench.environment import BenchEnvironment
from bench.gateway.comparison import PART, prepare
from bench.gateway.load import LoadPlan
from bench.gateway.runs import bodies, plan_for, run_load
from bench.gateway.servers import GATEWAY, OWN, Endpoint, running, worker
from bench.results import Measurement
from bench.running import RunningSystem, resource_usage

CASE = "overload"
FACTOR = 5.0
UNLOADED_RATE = 200.0
CONNECTIONS = 1024
MIB = 1024 * 1024
SAMPLE_SECONDS = 0.1
WARM_UP_SECONDS = 3.0
"""The gateway takes a burst for a second before it refuses calls, so the overload is measured
afterwards; the memory is watched from the start."""


@dataclass(slots=True)
class MemoryWatch:
    """The memory of a process while it is watched, in bytes."""

    seen: list[int] = field(default_factory=list)

    @property
    def growth_mib(self) -> float:
        """How far the memory grew above what it was at first."""
        return (max(self.seen) - self.seen[0]) / MIB


@contextmanager
def watching_memory(endpoint: Endpoint) -> Iterator[MemoryWatch]:
    """Sample the memory of a server's process as long as the context."""
    watch, stop = MemoryWatch(), Event()
    (process,) = endpoint.process.processes

    def sample() -> None:
        while True:
            watch.seen.append(resource_usage(process)[1])
            if stop.wait(SAMPLE_SECONDS):
                return

    thread = Thread(target=sample)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


def measure_overload(
    environment: BenchEnvironment, seconds: float, report_progress: Callable[[str], None]
) -> Iterator[Measurement]:
    """Measure the gateway without load, at its limit, and at FACTOR times that."""
    job = prepare(environment)
    kind = next(kind for kind in OWN if kind.name == GATEWAY)
    with (
        RunningSystem(environment, [worker(job)]),
        running(kind, job, bodies("http")[0]) as endpoints,
    ):
        rest = next(one for one in endpoints if one.protocol == "http")
        report_progress("overload: the latency without load")
        calm = run_load(plan_for(rest, seconds, UNLOADED_RATE), {}).result
        report_progress("overload: the saturation")
        full = run_load(plan_for(rest, seconds), {}).result
        rate = FACTOR * full.throughput
        report_progress(f"overload: {rate:,.0f} calls a second")
        with watching_memory(rest) as memory:
            run = run_load(overload_plan(rest, seconds, rate), {}).result
    about = (PART, CASE, GATEWAY, "REST")
    accepted = [*run.since_sent, float("inf")] if not run.since_sent else run.since_sent
    p99 = float(np.percentile(accepted, 99)) * 1000
    refused = sum(count for status, count in run.statuses.items() if status != 200)
    yield Measurement(*about, "p99 ms without load", calm.percentile_ms(99))
    yield Measurement(*about, "requests/s at the limit", full.throughput)
    yield Measurement(*about, "p99 ms at the limit", full.percentile_ms(99))
    yield Measurement(*about, "sent/s", run.sent / run.seconds)
    yield Measurement(*about, "answered/s", run.throughput)
    yield Measurement(*about, "refused/s", refused / run.seconds)
    yield Measurement(*about, BAD_REFUSALS, run.bad_refusals + run.unanswered)
    yield Measurement(*about, MEMORY_GROWTH, memory.growth_mib)
    yield Measurement(*about, "p99 ms of answered calls", p99)
    yield Measurement(*about, "p99 ms of answered calls, from due time", run.percentile_ms(99))
    yield Measurement(*about, P99_FACTOR, p99 / full.percentile_ms(99))
    yield Measurement(*about, "p99 times that without load", p99 / calm.percentile_ms(99))


BAD_REFUSALS = "refusals without JSON or Retry-After"
MEMORY_GROWTH = "memory growth MiB"
P99_FACTOR = "p99 times that at the limit"


def overload_plan(endpoint: Endpoint, seconds: float, rate: float) -> LoadPlan:
    """Return the plan of an overload."""
    plan = plan_for(endpoint, seconds, rate, CONNECTIONS)
    return msgspec.structs.replace(plan, warm_up=WARM_UP_SECONDS)
