"""Scaling: more workers, more models, larger requests, more partitions, one at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench import benchmark_models, payloads
from bench.benchmark_models import BenchmarkModel
from bench.environment import PARTITIONS, BenchEnvironment
from bench.results import Measurement, Missing
from bench.rounds import BenchPlan, Comparison, delete_topics, prepare_job, run_rounds
from bench.systems import MODSTREAM, PASS_THROUGH
from bench.targets import RELATIVE_THROUGHPUT, SCALING_PARTS, THROUGHPUT
from bench.workloads import EIGHT_FEATURES, WORKLOADS, Workload

ROW8 = WORKLOADS[0]
SYSTEMS = (PASS_THROUGH[0], MODSTREAM[0])
"""The two systems compared, both with exactly-once delivery."""
WORKER_COUNTS = (1, 2, 4)
MODEL_COUNTS = (1, 4, 16, 64)
PAYLOAD_KIB = (1, 4, 16, 64, 256, 512)
PARTITION_COUNTS = (1, 4, 16, 64)
MAX_BYTES_PER_SECOND = 16_000_000
"""Maximum bytes of large requests that are preloaded for each second of a run."""


def measure_scaling(
    environment: BenchEnvironment, plan: BenchPlan
) -> Iterator[Measurement | Missing]:
    """Measure the pass-through and modstream while each of the four sizes grows."""
    for prepare in (by_workers, by_models, by_size, by_partitions):
        plan.report_progress(f"scaling {prepare.__name__}: preloading requests")
        yield from run_sizes(prepare(environment, plan), plan)


def run_sizes(
    comparisons: Sequence[Comparison], plan: BenchPlan
) -> Iterator[Measurement | Missing]:
    """Run rounds through all sizes; also yield each throughput relative to the first size's."""
    one_round = replace(plan, rounds=1)
    for _ in range(plan.rounds):
        smallest: dict[str, float] = {}
        for comparison in comparisons:
            for result in run_rounds(comparison, SYSTEMS, one_round):
                yield result
                if isinstance(result, Measurement) and result.measure == THROUGHPUT:
                    relative = result.value / smallest.setdefault(result.system, result.value)
                    yield result._replace(
                        measure=RELATIVE_THROUGHPUT, value=relative, pass_through=None
                    )
    for comparison in comparisons:
        delete_topics(comparison)


def by_workers(environment: BenchEnvironment, plan: BenchPlan) -> list[Comparison]:
    """Prepare the same requests for one, two and four processes."""
    count = plan.count(ROW8)
    job = prepare_job(environment, replace(ROW8, name="scaling-workers"), count)
    return [
        Comparison(SCALING_PARTS[0], str(workers), job, count, workers) for workers in WORKER_COUNTS
    ]


def by_models(environment: BenchEnvironment, plan: BenchPlan) -> list[Comparison]:
    """Prepare requests that each name one of several models at random."""
    models = [
        benchmark_models.logistic().renamed(f"m{number}") for number in range(max(MODEL_COUNTS))
    ]
    for model in models:
        environment.publish(model)
    return [
        comparison_of(
            environment, plan, SCALING_PARTS[1], count, workload_naming_models(models[:count])
        )
        for count in MODEL_COUNTS
    ]


def by_size(environment: BenchEnvironment, plan: BenchPlan) -> list[Comparison]:
    """Prepare requests of increasing size; the features are the same, the rest is padding."""
    return [
        comparison_of(environment, plan, SCALING_PARTS[2], kib, workload_of_size(1024 * kib))
        for kib in PAYLOAD_KIB
    ]


def by_partitions(environment: BenchEnvironment, plan: BenchPlan) -> list[Comparison]:
    """Prepare the same requests in an increasing number of partitions, for one process."""
    return [
        comparison_of(environment, plan, SCALING_PARTS[3], n, ROW8, partitions=n)
        for n in PARTITION_COUNTS
    ]


def comparison_of(
    environment: BenchEnvironment,
    plan: BenchPlan,
    part: str,
    size: int,
    workload: Workload,
    partitions: int = PARTITIONS,
) -> Comparison:
    """Prepare one size of a scaling part, on a stream of its own."""
    sized = replace(workload, name=f"{part.split(maxsplit=1)[0]}-{size}")
    count = plan.count(sized)
    return Comparison(part, str(size), prepare_job(environment, sized, count, partitions), count)


def workload_naming_models(models: Sequence[BenchmarkModel]) -> Workload:
    """Return row8 with each request to one of several models."""
    names = [model.spec.name for model in models]
    make = partial(payloads.to_random_model, payloads.row(EIGHT_FEATURES), names)
    return replace(ROW8, make_model=lambda: models[0], make_payload_maker=make)


def workload_of_size(size: int) -> Workload:
    """Return row8 with requests of `size` bytes."""
    make = partial(payloads.padded, payloads.row(EIGHT_FEATURES), size)
    max_rate = MAX_BYTES_PER_SECOND // size
    return replace(
        ROW8,
        make_payload_maker=make,
        expected_rate=min(ROW8.expected_rate, max_rate),
        distinct_payloads=min(ROW8.distinct_payloads, max_rate),
    )
