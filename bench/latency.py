"""Latency from the intended send time, under an open-loop load at shares of the capacity.

All systems run at the same time, each on a stream of its own; only one is loaded at a time. The
capacity is the throughput of modstream while the load generator sends more than that. The
generator runs on the same machine, so the capacity includes its needs.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from uuid import uuid4

from bench.environment import BenchEnvironment
from bench.results import Measurement, Missing, with_pass_through
from bench.rounds import BenchPlan, is_pass_through, prepare_job
from bench.running import RunningSystem
from bench.saturation import RunFailed, wait_ready
from bench.systems import MODSTREAM, PASS_THROUGH, Job, System
from bench.targets import P50, P99
from bench.workloads import WORKLOADS, Workload
from modstream.broker.errors import BrokerError
from modstream.producers.load.report import LoadReport
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import CRAYFISH, STEADY, LoadPhase, LoadPlan
from modstream.producers.records.random_rows import FeatureSpec

PART = "latency"
LOAD_SHARES = (0.25, 0.5, 0.75)
FLOOD_RATE = 30_000.0
"""Requests per second, more than one generator can send."""
CRAYFISH_TIME_SCALE = 0.1
"""Length of the bursts' phases, relative to those of Crayfish."""
BURSTS = tuple(
    LoadPhase(factor=p.factor, seconds=CRAYFISH_TIME_SCALE * p.seconds) for p in CRAYFISH
)


@dataclass(frozen=True, slots=True)
class LoadCase:
    """A load with the name of its case."""

    case: str
    rate: float
    seconds: float
    phases: tuple[LoadPhase, ...] = STEADY


def measure_latency(
    environment: BenchEnvironment, plan: BenchPlan
) -> Iterator[Measurement | Missing]:
    """Measure latency percentiles of all systems with the first workload."""
    workload = WORKLOADS[0]
    systems = [
        s
        for s in (*MODSTREAM, *PASS_THROUGH, *plan.peers)
        if s.can_read(workload) and not s.needs_live_requests
    ]
    with ExitStack() as stack:
        jobs: dict[System, Job] = {}
        for system in systems:
            plan.report_progress(f"{PART}: starting {system}")
            try:
                jobs[system] = start_system(stack, environment, workload, system)
            except RunFailed as error:
                yield Missing(PART, workload.name, system.name, system.delivery, str(error))
        if MODSTREAM[0] not in jobs:
            return
        for load in load_cases(measure_capacity(jobs[MODSTREAM[0]], plan), plan):
            for _ in range(plan.rounds):
                results: list[Measurement | Missing] = []
                for system, job in jobs.items():
                    plan.report_progress(f"{PART} {load.case}: {system}")
                    results += measure_case(load, system, job)
                yield from (one for one in results if isinstance(one, Missing))
                measurements = [one for one in results if isinstance(one, Measurement)]
                yield from with_pass_through(measurements, is_pass_through)


def start_system(
    stack: ExitStack, environment: BenchEnvironment, workload: Workload, system: System
) -> Job:
    """Start a system on a stream of its own, and wait until it has responded to a request."""
    name = f"latency-{system.name}-{system.delivery.replace('_', '-')}"
    job = prepare_job(environment, replace(workload, name=name), 1)
    running = stack.enter_context(RunningSystem(environment, [system.command(job)]))
    wait_ready(job, system, running)
    if not sum(environment.end_offsets(job.topics.predictions).values()):
        raise RunFailed(f"{system}: no response\n{running.tail()}")
    return job


def measure_capacity(job: Job, plan: BenchPlan) -> float:
    """Return the responses per second while a generator sends more than that."""
    plan.report_progress(f"{PART}: measuring the capacity")
    return run_case(job, LoadCase("capacity", FLOOD_RATE, plan.seconds / 2)).throughput


def load_cases(capacity: float, plan: BenchPlan) -> Iterator[LoadCase]:
    """Yield steady loads, and the bursts of Crayfish in a tenth of their time."""
    for share in LOAD_SHARES:
        rate = share * capacity
        yield LoadCase(f"{share:.0%} of capacity, {rate:,.0f}/s", rate, plan.seconds)
    seconds = sum(phase.seconds for phase in BURSTS)
    yield LoadCase(f"bursts of 0.7 and 1.1 of {capacity:,.0f}/s", capacity, seconds, BURSTS)


def measure_case(load: LoadCase, system: System, job: Job) -> Iterator[Measurement | Missing]:
    """Measure one system under one load; a broker error makes only this result missing."""
    try:
        yield from latency_measurements(load, system, run_case(job, load))
    except BrokerError as error:
        yield Missing(PART, load.case, system.name, system.delivery, str(error))


def run_case(job: Job, load: LoadCase) -> LoadReport:
    """Run a load, and wait for its last response."""
    features = [
        FeatureSpec.model_validate(feature.model_dump())
        for feature in job.workload.make_model().spec.input_schema.features
    ]
    plan = LoadPlan(
        run_id=f"bench-{uuid4().hex[:8]}",
        rate=load.rate,
        seconds=load.seconds,
        phases=load.phases,
        drain_timeout_seconds=60,
    )
    return run_load(job.environment.settings.connection, job.topics, plan, features)


def latency_measurements(
    load: LoadCase, system: System, report: LoadReport
) -> Iterator[Measurement | Missing]:
    """Return a report as measurements, with the share of sends that the generator made late."""
    about = (PART, load.case, system.name, system.delivery)
    if report.latency_ms is None or report.unanswered:
        yield Missing(*about, f"{system}: {report.unanswered} of {report.sent} requests unanswered")
        return
    yield Measurement(*about, P50, report.latency_ms.p50)
    yield Measurement(*about, P99, report.latency_ms.p99)
    yield Measurement(*about, "p99.9 ms", report.latency_ms.p99_9)
    yield Measurement(*about, "late sends %", 100 * report.late_sends / report.sent)
