"""The processor time of an idle worker, and the time from its start to its first response."""

from collections.abc import Iterator
from dataclasses import replace
from time import sleep, time

from bench.environment import BenchEnvironment
from bench.responses import read_response_stats
from bench.results import Measurement, Missing
from bench.rounds import BenchPlan, prepare_job
from bench.running import RunningSystem
from bench.saturation import START_TIMEOUT_SECONDS, RunFailed
from bench.systems import MODSTREAM, Job, System
from bench.workloads import WORKLOADS

PART = "idle"
IDLE_SECONDS = 10.0
"""Time over which the processor time of an idle worker is measured."""
SETTLE_SECONDS = 2.0
"""Time that a worker has to become idle after its first response."""


def measure_idle(environment: BenchEnvironment, plan: BenchPlan) -> Iterator[Measurement | Missing]:
    """Start a worker of each delivery with one preloaded request, and send no others."""
    job = prepare_job(environment, replace(WORKLOADS[0], name="idle"), 1)
    for _ in range(plan.rounds):
        for system in MODSTREAM:
            plan.report_progress(f"{PART}: {system}")
            about = (system.name, system.delivery)
            try:
                start, idle = start_and_idle(job, system)
            except RunFailed as error:
                yield Missing(PART, "start", *about, str(error))
                continue
            yield Measurement(PART, "start", *about, "seconds", start)
            yield Measurement(PART, "idle", *about, "CPU %", idle)


def start_and_idle(job: Job, system: System) -> tuple[float, float]:
    """Return the seconds from start to first response, and the idle worker's CPU percentage."""
    environment, topic = job.environment, job.topics.predictions
    environment.delete_group(job.group)
    before = environment.end_offsets(topic)
    started = time()
    with RunningSystem(environment, [system.command(job)]) as running:
        while environment.end_offsets(topic) == before:
            if running.has_exited() or time() - started > START_TIMEOUT_SECONDS:
                raise RunFailed(f"{system}: no response\n{running.tail()}")
            sleep(0.05)
        responded = read_response_stats(environment.settings.connection, before).first_ms / 1000
        sleep(SETTLE_SECONDS)
        first = running.sample(0)
        sleep(IDLE_SECONDS)
        last = running.sample(0)
    return responded - started, 100 * (last.cpu - first.cpu) / (last.at - first.at)
