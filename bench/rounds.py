"""Saturation of all systems on the same requests, in rounds of one run of each system."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.environment import PARTITIONS, BenchEnvironment
from bench.results import Measurement, Missing, with_pass_through
from bench.saturation import RunFailed, Saturation, saturate
from bench.systems import MODSTREAM, MODSTREAM_WITHOUT_FEATURES, PASS_THROUGH, Job, System
from bench.targets import CPU, MEMORY, THROUGHPUT
from bench.workloads import Workload
from modstream.broker.errors import BrokerError

PART = "saturation"
LIVE_RATE = 1500
"""Records a second for a system that needs live requests."""


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """The extent of the benchmark.

    `seconds` is the maximum measured duration of one run of one system, `max_requests` the
    maximum number of requests that are preloaded for a run.
    """

    workloads: tuple[Workload, ...]
    peers: tuple[System, ...] = ()
    rounds: int = 3
    seconds: float = 8.0
    report_progress: Callable[[str], None] = lambda _doing: None
    max_requests: int = 1_000_000

    def count(self, workload: Workload) -> int:
        """Return the number of requests of a workload that are preloaded."""
        return min(int(workload.expected_rate * self.seconds), self.max_requests)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A job with `count` preloaded requests, for `workers` processes of each system."""

    part: str
    case: str
    job: Job
    count: int
    workers: int = 1


def measure_saturation(
    environment: BenchEnvironment, plan: BenchPlan
) -> Iterator[Measurement | Missing]:
    """Measure the pass-through, modstream and the peers with each workload."""
    for workload in plan.workloads:
        plan.report_progress(f"{workload.name}, {workload.description}: preloading requests")
        count = plan.count(workload)
        comparison = Comparison(
            PART, workload.name, prepare_job(environment, workload, count), count
        )
        systems = (*PASS_THROUGH, *MODSTREAM, *MODSTREAM_WITHOUT_FEATURES, *plan.peers)
        able = [system for system in systems if system.can_read(workload)]
        yield from run_rounds(comparison, able, plan)
        delete_topics(comparison)


def prepare_job(
    environment: BenchEnvironment, workload: Workload, count: int, partitions: int = PARTITIONS
) -> Job:
    """Publish a workload's model, preload `count` requests, and return the job."""
    topics = environment.create_topics(workload.name, partitions)
    model = environment.publish(workload.make_model())
    environment.preload(workload.requests(topics.requests, count))
    return Job(environment, workload, topics, model)


def delete_topics(comparison: Comparison) -> None:
    """Delete the topics of a comparison, to free their disk space."""
    topics = comparison.job.topics
    comparison.job.environment.admin.delete([topics.requests, topics.predictions])


def run_rounds(
    comparison: Comparison, systems: Sequence[System], plan: BenchPlan
) -> Iterator[Measurement | Missing]:
    """Run each system once a round; leave out a system after a failed run."""
    able = list(systems)
    for number in range(1, plan.rounds + 1):
        results: list[Measurement] = []
        for system in tuple(able):
            name = f"{comparison.part} {comparison.case}"
            plan.report_progress(f"{name}, round {number} of {plan.rounds}: {system}")
            try:
                results += measurements(
                    comparison, system, run_once(comparison, system, plan.seconds)
                )
            except RunFailed as error:
                able.remove(system)
                yield missing(comparison, system, error)
            except BrokerError as error:
                yield missing(comparison, system, error)
        yield from with_pass_through(results, is_pass_through)


def run_once(comparison: Comparison, system: System, seconds: float) -> Saturation:
    """Run a system once. One that needs live requests gets fewer, on a stream of its own."""
    job = comparison.job
    if not system.needs_live_requests:
        return saturate(job, system, comparison.count, seconds, comparison.workers)
    topics = job.environment.create_topics(f"{job.topics.stream}-{system.name}")
    count = min(comparison.count, int(LIVE_RATE * seconds))
    return saturate(replace(job, topics=topics), system, count, seconds)


def missing(comparison: Comparison, system: System, error: Exception) -> Missing:
    """Return the missing result of a failed run."""
    return Missing(comparison.part, comparison.case, system.name, system.delivery, str(error))


def measurements(comparison: Comparison, system: System, run: Saturation) -> list[Measurement]:
    """Return the measurements of a run."""
    about = (comparison.part, comparison.case, system.name, system.delivery)
    return [
        Measurement(*about, THROUGHPUT, run.throughput),
        Measurement(*about, CPU, run.cpu_us),
        Measurement(*about, MEMORY, run.memory_mib),
    ]


def is_pass_through(measurement: Measurement) -> bool:
    """Return whether a measurement is of the pass-through."""
    return measurement.system == PASS_THROUGH[0].name
