"""Growth: more workers, more models, larger requests, more partitions, each by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench import exhibits, payloads
from bench.contest import Match, Plan, cleared, laid, turns
from bench.findings import Finding, Gap
from bench.goals import GROWING
from bench.ground import Ground
from bench.payloads import Maker
from bench.subjects import LIMITS, OURS
from bench.workloads import EIGHT, WORKLOADS

ROW8 = WORKLOADS[0]
SUBJECTS = (LIMITS[0], OURS[0])
"""Both exactly once."""
WORKERS = (1, 2, 4)
MODELS = (1, 4, 16, 64)
KIB = (1, 4, 16, 64, 256, 512)
PARTITIONS = (1, 4, 16, 64)
BYTES = 16_000_000
"""Bytes a second that are laid ready of large requests."""


def growth(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """What the limit and modstream do as each of the four grows."""
    for matches in (by_workers, by_models, by_size, by_partitions):
        yield from matches(ground, plan)


def by_workers(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """The same requests for one process, two and four."""
    count = int(ROW8.rate * plan.seconds)
    job = laid(ground, replace(ROW8, name="growth-workers"), count)
    for workers in WORKERS:
        match = Match(GROWING[0], str(workers), job, count, workers)
        yield from turns(match, SUBJECTS, plan)
    cleared(match)


def by_models(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """Requests that each name one of several models, at random."""
    exhibit, count = exhibits.logistic(), int(ROW8.rate * plan.seconds)
    named = [exhibit.named(f"m{number}") for number in range(max(MODELS))]
    for one in named:
        ground.publish(one)
    for models in MODELS:
        names = [one.draft.name for one in named[:models]]
        workload = replace(
            ROW8,
            name=f"growth-models-{models}",
            exhibit=lambda: named[0],
            make=partial(naming, names),
        )
        match = Match(GROWING[1], str(models), laid(ground, workload, count), count)
        yield from turns(match, SUBJECTS, plan)
        cleared(match)


def by_size(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """Requests of ever more bytes, of which the model looks at the same few."""
    for kib in KIB:
        workload = replace(
            ROW8,
            name=f"growth-size-{kib}",
            make=partial(sized, 1024 * kib),
        )
        count = int(min(ROW8.rate, BYTES / (1024 * kib)) * plan.seconds)
        match = Match(GROWING[2], str(kib), laid(ground, workload, count), count)
        yield from turns(match, SUBJECTS, plan)
        cleared(match)


def by_partitions(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """The same requests, spread over ever more partitions, for one process."""
    count = int(ROW8.rate * plan.seconds)
    for partitions in PARTITIONS:
        workload = replace(ROW8, name=f"growth-partitions-{partitions}")
        job = laid(ground, workload, count, partitions)
        match = Match(GROWING[3], str(partitions), job, count)
        yield from turns(match, SUBJECTS, plan)
        cleared(match)


def naming(names: Sequence[str]) -> Maker:
    """Requests of row8, each to one of several models."""
    return payloads.to_model(payloads.row(EIGHT), names)


def sized(size: int) -> Maker:
    """Requests of row8 of so many bytes."""
    return payloads.padded(payloads.row(EIGHT), size)
