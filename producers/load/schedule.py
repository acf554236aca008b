"""A load plan, and the schedule that follows from it alone: what is sent when, known ahead.

The schedule never looks at the answers, so a system that stalls cannot slow down the load that
measures it. Source: Schroeder et al., "Open Versus Closed: A Cautionary Tale", NSDI 2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from modstream.producers.records.bad_records import BAD, TOO_LARGE
from modstream.producers.records.random_rows import Form


class Phase(BaseModel):
    """A stretch of time at `factor` times the plan's rate."""

    model_config = ConfigDict(frozen=True)

    factor: float = Field(ge=0)
    seconds: float = Field(gt=0)


STEADY = (Phase(factor=1.0, seconds=3600.0),)
CRAYFISH = (Phase(factor=0.7, seconds=120.0), Phase(factor=1.1, seconds=30.0))
"""The bursty workload of Horchidan et al., "Crayfish: Navigating the Labyrinth of Machine
Learning Inference in Stream Systems", EDBT 2024; the rate is the sustainable throughput."""


def bursts(factor: float, every: float, length: float) -> tuple[Phase, ...]:
    """The plan's rate, and `length` seconds at `factor` times it at the end of each `every`."""
    return (Phase(factor=1.0, seconds=every - length), Phase(factor=factor, seconds=length))


class LoadPlan(BaseModel):
    """A load, completely: two runs of one plan send the same requests at the same times."""

    model_config = ConfigDict(frozen=True)

    run: str = Field(default="load", pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    """Request ids are `<run>-<number>`; give every run on one topic its own."""
    rate: float = Field(default=100.0, gt=0)
    """Requests per second at factor 1."""
    seconds: float = Field(default=10.0, gt=0)
    shape: tuple[Phase, ...] = Field(default=STEADY, min_length=1)
    """Phases that follow one another and begin again."""
    spacing: Literal["even", "poisson"] = "even"
    keys: int = Field(default=0, ge=0)
    """How many keys there are; 0: every request has its own, its id."""
    zipf: float = Field(default=0.0, ge=0)
    """Skew of the keys: the k-th is as frequent as 1 / k**zipf; 0 is uniform."""
    rows: int = Field(default=1, ge=1)
    padding: int = Field(default=0, ge=0)
    """Bytes added to every request."""
    form: Form = "row"
    model: str | None = None
    bad: float = Field(default=0.0, ge=0, le=1)
    """Share of bad records among the requests."""
    kinds: tuple[str, ...] = tuple(sorted(set(BAD) - {TOO_LARGE}))
    """Kinds of bad records to choose from."""
    seed: int = Field(default=1, ge=0)
    patience: float = Field(default=10.0, ge=0)
    """Seconds to wait for the last answers after the last request."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """One entry per request, all of shape (n,)."""

    due: npt.NDArray[np.float64]
    """Intended send times in seconds from the start, ascending."""
    key: npt.NDArray[np.int64]
    """Which key; -1: the request's own id."""
    kind: npt.NDArray[np.int64]
    """Which of the plan's kinds of bad record; -1: a good request."""

    @property
    def size(self) -> int:
        """How many requests are sent."""
        return len(self.due)

    def entries(self) -> Iterator[tuple[float, int, int]]:
        """Due time, key and kind of each request, as plain numbers."""
        yield from zip(self.due.tolist(), self.key.tolist(), self.kind.tolist(), strict=True)


def schedule(plan: LoadPlan) -> Schedule:
    """Work out the whole schedule; a pure function of the plan."""
    rng = np.random.default_rng(plan.seed)
    due = _send_times(plan, rng)
    size = len(due)
    is_bad = rng.random(size) < plan.bad
    kinds = rng.integers(max(1, len(plan.kinds)), size=size)
    return Schedule(due, _keys(plan, rng, size), np.where(is_bad, kinds, -1))


def _send_times(plan: LoadPlan, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Read the times off the cumulated rate: the i-th request is due where it reaches i."""
    time, cumulated = _cumulated_rate(plan)
    total = cumulated[-1]
    if plan.spacing == "even":
        counts = np.arange(int(np.ceil(total - 1e-9)), dtype=np.float64)
    else:
        room = int(total + 10 * np.sqrt(total) + 10)
        counts = rng.exponential(size=room).cumsum()
        counts = counts[counts < total]
    return np.interp(counts, cumulated, time)


def _cumulated_rate(plan: LoadPlan) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ends of the phases in seconds, and how many requests are due by then; both begin at 0."""
    cycle = np.array([phase.seconds for phase in plan.shape])
    cycles = int(np.ceil(plan.seconds / cycle.sum()))
    ends = np.concatenate([[0.0], np.tile(cycle, cycles).cumsum()])
    rates = np.tile([phase.factor * plan.rate for phase in plan.shape], cycles)
    time = np.minimum(ends, plan.seconds)
    return time, np.concatenate([[0.0], (np.diff(time) * rates).cumsum()])


def _keys(plan: LoadPlan, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    if plan.keys == 0:
        return np.full(size, -1)
    weights = np.arange(1, plan.keys + 1, dtype=np.float64) ** -plan.zipf
    return rng.choice(plan.keys, size=size, p=weights / weights.sum()).astype(np.int64)
