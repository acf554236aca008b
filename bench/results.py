"""Measurements of the rounds, and their summaries: medians, spreads, ratios and targets."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from bench.targets import TARGETS, Target


class Measurement(NamedTuple):
    """One measured value of one round.

    Attributes:
        part: the part of the benchmark.
        case: the workload, load or size.
        system: the measured system.
        mode: its delivery mode.
        measure: the name of the measure with its unit.
        value: the measured value.
        pass_through: the value of the pass-through in the same round, None if it did not run.
    """

    part: str
    case: str
    system: str
    mode: str
    measure: str
    value: float
    pass_through: float | None = None


class Missing(NamedTuple):
    """A measurement that failed, with the reason."""

    part: str
    case: str
    system: str
    mode: str
    reason: str


@dataclass(slots=True)
class ResultSet:
    """The results of the benchmark so far."""

    measurements: list[Measurement] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def add(self, result: Measurement | Missing) -> None:
        """Add a measurement or a missing measurement."""
        if isinstance(result, Measurement):
            self.measurements.append(result)
        else:
            self.missing.append(result)


@dataclass(frozen=True, slots=True)
class Summary:
    """A measure over all rounds.

    `measurement` is its first measurement; `ratio` is the median of the rounds' ratios to the
    pass-through, None without a pass-through.
    """

    measurement: Measurement
    rounds: int
    median: float
    minimum: float
    maximum: float
    ratio: float | None
    target: Target | None

    @property
    def is_met(self) -> bool | None:
        """Whether the target was met; None without a target, or without the ratio it needs."""
        if self.target is None:
            return None
        value = self.ratio if self.target.quantity == "ratio" else self.median
        return None if value is None else self.target.is_met_by(value)


def summarize(measurements: Iterable[Measurement]) -> list[Summary]:
    """Return one summary for each measure, in the order of their first measurements."""
    rounds: dict[tuple[str, ...], list[Measurement]] = {}
    for measurement in measurements:
        rounds.setdefault(measurement[:5], []).append(measurement)
    return [_summarize_one(group) for group in rounds.values()]


def with_pass_through(
    measurements: Sequence[Measurement], is_pass_through: Callable[[Measurement], bool]
) -> list[Measurement]:
    """Return one round's measurements, each with the pass-through's value of the same mode."""
    values = {(m.mode, m.measure): m.value for m in measurements if is_pass_through(m)}
    return [m._replace(pass_through=values.get((m.mode, m.measure))) for m in measurements]


def _summarize_one(measurements: Sequence[Measurement]) -> Summary:
    values = [m.value for m in measurements]
    ratios = [m.value / m.pass_through for m in measurements if m.pass_through]
    first = measurements[0]
    target = next((target for target in TARGETS if target.applies_to(first)), None)
    return Summary(
        measurement=first,
        rounds=len(values),
        median=median(values),
        minimum=min(values),
        maximum=max(values),
        ratio=median(ratios) if ratios else None,
        target=target,
    )
