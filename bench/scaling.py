"""Growth: more workers, more models, larger requests, more partitions, each by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench import benchmark_models, payloads
from bench.benchmark_models import Exhibit
from bench.environment import PARTITIONS, Ground
from bench.results import Finding, Gap
from bench.rounds import Match, Plan, cleared, laid, turns
from bench.systems import LIMITS, OURS
from bench.targets import GROWING, SHARE, THROUGHPUT
from bench.workloads import EIGHT, WORKLOADS, Workload

ROW8 = WORKLOADS[0]
SUBJECTS = (LIMITS[0], OURS[0])
"""Both exactly once."""
WORKERS = (1, 2, 4)
MODELS = (1, 4, 16, 64)
KIB = (1, 4, 16, 64, 256, 512)
SPREADS = (1, 4, 16, 64)
BYTES = 16_000_000
"""Bytes a second that are laid ready of large requests."""


def growth(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """What the limit and modstream do as each of the four grows."""
    for matches in (by_workers, by_models, by_size, by_partitions):
        plan.tell(f"{matches.__name__}: laying requests ready")
        yield from grown(matches(ground, plan), plan)


def grown(matches: Sequence[Match], plan: Plan) -> Iterator[Finding | Gap]:
    """Rounds through all sizes; each throughput also as a share of that of the first size."""
    once = replace(plan, rounds=1)
    for _ in range(plan.rounds):
        smallest: dict[str, float] = {}
        for match in matches:
            for one in turns(match, SUBJECTS, once):
                yield one
                if isinstance(one, Finding) and one.measure == THROUGHPUT:
                    share = one.value / smallest.setdefault(one.subject, one.value)
                    yield one._replace(measure=SHARE, value=share, limit=None)
    for match in matches:
        cleared(match)


def by_workers(ground: Ground, plan: Plan) -> list[Match]:
    """The same requests for one process, two and four."""
    count = plan.count(ROW8)
    job = laid(ground, replace(ROW8, name="growth-workers"), count)
    return [Match(GROWING[0], str(workers), job, count, workers) for workers in WORKERS]


def by_models(ground: Ground, plan: Plan) -> list[Match]:
    """Requests that each name one of several models, at random."""
    named = [benchmark_models.logistic().named(f"m{number}") for number in range(max(MODELS))]
    for one in named:
        ground.publish(one)
    return [matched(ground, plan, GROWING[1], models, naming(named[:models])) for models in MODELS]


def by_size(ground: Ground, plan: Plan) -> list[Match]:
    """Requests of ever more bytes, of which the model looks at the same few."""
    return [matched(ground, plan, GROWING[2], kib, sized(1024 * kib)) for kib in KIB]


def by_partitions(ground: Ground, plan: Plan) -> list[Match]:
    """The same requests, spread over ever more partitions, for one process."""
    return [matched(ground, plan, GROWING[3], n, ROW8, partitions=n) for n in SPREADS]


def matched(
    ground: Ground,
    plan: Plan,
    part: str,
    size: int,
    workload: Workload,
    partitions: int = PARTITIONS,
) -> Match:
    """One size of what grows, on a stream of its own."""
    own = replace(workload, name=f"{part.split(maxsplit=1)[0]}-{size}")
    count = plan.count(own)
    return Match(part, str(size), laid(ground, own, count, partitions), count)


def naming(named: Sequence[Exhibit]) -> Workload:
    """Requests of row8, each to one of several models."""
    names = [one.draft.name for one in named]
    make = partial(payloads.to_model, payloads.row(EIGHT), names)
    return replace(ROW8, exhibit=lambda: named[0], make=make)


def sized(size: int) -> Workload:
    """Requests of row8 of so many bytes."""
    make = partial(payloads.padded, payloads.row(EIGHT), size)
    rate, variety = min(ROW8.rate, BYTES // size), min(ROW8.variety, BYTES // size)
    return replace(ROW8, make=make, rate=rate, variety=variety)
