"""Latency from the intended send time, under an open-loop load at shares of the capacity.

All subjects are up at once, each on a stream of its own, and one at a time is loaded. The capacity
is what modstream answers while the load generator sends more than that, on the same machine: so
the generator's own needs are in it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from uuid import uuid4

from bench.environment import Ground
from bench.results import Finding, Gap, with_limits
from bench.rounds import Plan, is_limit, laid
from bench.running import Running
from bench.saturation import Unanswered, roused
from bench.systems import LIMITS, OURS, Job, Subject
from bench.targets import P50, P99
from bench.workloads import WORKLOADS, Workload
from modstream.broker.errors import BrokerError
from modstream.producers.load.report import LoadReport
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import CRAYFISH, STEADY, LoadPlan, Phase
from modstream.producers.records.random_rows import FeatureSpec

PART = "latency"
SHARES = (0.25, 0.5, 0.75)
FLOOD = 30_000.0
"""Requests a second, more than one generator can send."""
SCALED = 0.1
"""Of the length of Crayfish's phases."""
BURSTS = tuple(Phase(factor=p.factor, seconds=SCALED * p.seconds) for p in CRAYFISH)


@dataclass(frozen=True, slots=True)
class Load:
    """A load by the name of its case."""

    case: str
    rate: float
    seconds: float
    shape: tuple[Phase, ...] = STEADY


def latency(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """Percentiles of the first workload, for the limit, modstream and peers."""
    workload = WORKLOADS[0]
    subjects = [s for s in (*OURS, *LIMITS, *plan.peers) if s.reads(workload) and not s.live]
    with ExitStack() as undo:
        jobs: dict[Subject, Job] = {}
        for subject in subjects:
            plan.tell(f"{PART}: starting {subject}")
            try:
                jobs[subject] = started(undo, ground, workload, subject)
            except Unanswered as error:
                yield Gap(PART, workload.name, subject.name, subject.delivery, str(error))
        for load in loads(capacity(jobs[OURS[0]], plan), plan):
            for _ in range(plan.rounds):
                found: list[Finding | Gap] = []
                for subject, job in jobs.items():
                    plan.tell(f"{PART} {load.case}: {subject}")
                    found += measured(load, subject, job)
                yield from (one for one in found if isinstance(one, Gap))
                findings = [one for one in found if isinstance(one, Finding)]
                yield from with_limits(findings, is_limit)


def started(undo: ExitStack, ground: Ground, workload: Workload, subject: Subject) -> Job:
    """A subject that has answered a request on a stream of its own."""
    name = f"latency-{subject.name}-{subject.delivery.replace('_', '-')}"
    job = laid(ground, replace(workload, name=name), 1)
    running = undo.enter_context(Running(ground, [subject.command(job)]))
    roused(job, subject, running)
    if not sum(ground.ends(job.topics.predictions).values()):
        raise Unanswered(f"{subject}: no answer\n{running.tail()}")
    return job


def capacity(job: Job, plan: Plan) -> float:
    """Answers a second beside a generator that sends more."""
    plan.tell(f"{PART}: looking for the capacity")
    return loaded(job, Load("capacity", FLOOD, plan.seconds / 2)).throughput


def loads(most: float, plan: Plan) -> Iterator[Load]:
    """Steady loads, and Crayfish's bursts in a tenth of their time."""
    for share in SHARES:
        rate = share * most
        yield Load(f"{share:.0%} of capacity, {rate:,.0f}/s", rate, plan.seconds)
    seconds = sum(phase.seconds for phase in BURSTS)
    yield Load(f"bursts of 0.7 and 1.1 of {most:,.0f}/s", most, seconds, BURSTS)


def measured(load: Load, subject: Subject, job: Job) -> Iterator[Finding | Gap]:
    """What a subject does under a load; brokers that could not be reached end that load alone."""
    try:
        yield from percentiles(load, subject, loaded(job, load))
    except BrokerError as error:
        yield Gap(PART, load.case, subject.name, subject.delivery, str(error))


def loaded(job: Job, load: Load) -> LoadReport:
    """Run a load to its last answer."""
    features = [
        FeatureSpec.model_validate(feature.model_dump())
        for feature in job.workload.exhibit().draft.input_schema.features
    ]
    plan = LoadPlan(
        run=f"bench-{uuid4().hex[:8]}",
        rate=load.rate,
        seconds=load.seconds,
        shape=load.shape,
        patience=60,
    )
    return run_load(job.ground.settings.connection, job.topics, plan, features)


def percentiles(load: Load, subject: Subject, report: LoadReport) -> Iterator[Finding | Gap]:
    """A load's report as findings, with the share of sends for which the generator was late."""
    about = (PART, load.case, subject.name, subject.delivery)
    if report.latency_ms is None or report.unanswered:
        yield Gap(*about, f"{subject}: {report.unanswered} of {report.sent} requests unanswered")
        return
    yield Finding(*about, P50, report.latency_ms.p50)
    yield Finding(*about, P99, report.latency_ms.p99)
    yield Finding(*about, "p99.9 ms", report.latency_ms.p99_9)
    yield Finding(*about, "late sends %", 100 * report.late_sends / report.sent)
