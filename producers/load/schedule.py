"""A load plan and its schedule: all send times, computed before the run.

The schedule does not depend on the responses, so a stalled system cannot slow down the load that
measures it. Source: Schroeder et al., "Open Versus Closed: A Cautionary Tale", NSDI 2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from modstream.producers.records.bad_records import BAD_RECORDS, TOO_LARGE
from modstream.producers.records.random_rows import RequestFormatName


class LoadPhase(BaseModel):
    """A period with `factor` times the plan's rate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: float = Field(ge=0)
    seconds: float = Field(gt=0)


STEADY = (LoadPhase(factor=1.0, seconds=3600.0),)
CRAYFISH = (LoadPhase(factor=0.7, seconds=120.0), LoadPhase(factor=1.1, seconds=30.0))
"""The bursty workload of Horchidan et al., "Crayfish: Navigating the Labyrinth of Machine
Learning Inference in Stream Systems", EDBT 2024; the rate is the sustainable throughput."""


def periodic_bursts(
    factor: float, period_seconds: float, burst_seconds: float
) -> tuple[LoadPhase, ...]:
    """Return phases that end each period with a burst of `factor` times the plan's rate."""
    return (
        LoadPhase(factor=1.0, seconds=period_seconds - burst_seconds),
        LoadPhase(factor=factor, seconds=burst_seconds),
    )


class LoadPlan(BaseModel):
    """A complete description of a load: every run sends the same requests at the same times."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str = Field(default="load", pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    """Prefix of the request ids, `<run_id>-<number>`; must differ between runs on one topic."""
    rate: float = Field(default=100.0, gt=0)
    """Requests per second at factor 1."""
    seconds: float = Field(default=10.0, gt=0)
    phases: tuple[LoadPhase, ...] = Field(default=STEADY, min_length=1)
    """Phases, repeated in this order until the end of the run."""
    spacing: Literal["even", "poisson"] = "even"
    keys: int = Field(default=0, ge=0)
    """Number of different keys; with 0 the key of every request is its id."""
    zipf_exponent: float = Field(default=0.0, ge=0)
    """Skew of the keys: the k-th key has a frequency proportional to k**-zipf_exponent."""
    rows: int = Field(default=1, ge=1)
    padding_bytes: int = Field(default=0, ge=0)
    """Bytes added to every good request."""
    request_format: RequestFormatName = "row"
    model: str | None = None
    bad_share: float = Field(default=0.0, ge=0, le=1)
    """Share of bad records among the requests."""
    bad_kinds: tuple[str, ...] = tuple(sorted(set(BAD_RECORDS) - {TOO_LARGE}))
    """Kinds of bad records to draw from, as named in BAD_RECORDS."""
    seed: int = Field(default=1, ge=0)
    drain_timeout_seconds: float = Field(default=10.0, ge=0)
    """How long to wait for the last responses after the last request."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The n scheduled requests, as arrays of shape (n,)."""

    due_times: npt.NDArray[np.float64]
    """Intended send times in seconds from the start, ascending."""
    keys: npt.NDArray[np.int64]
    """Numbers of the keys; -1 stands for the request's id."""
    bad_kinds: npt.NDArray[np.int64]
    """Indexes into the plan's `bad_kinds`; -1 stands for a good request."""

    @property
    def size(self) -> int:
        """The number of requests."""
        return len(self.due_times)

    def entries(self) -> Iterator[tuple[float, int, int]]:
        """Yield due time, key and bad kind of each request, as Python numbers."""
        yield from zip(
            self.due_times.tolist(), self.keys.tolist(), self.bad_kinds.tolist(), strict=True
        )


def build_schedule(plan: LoadPlan) -> Schedule:
    """Compute the schedule, which depends on the plan alone."""
    rng = np.random.default_rng(plan.seed)
    due = _send_times(plan, rng)
    size = len(due)
    is_bad = rng.random(size) < plan.bad_share
    kinds = rng.integers(max(1, len(plan.bad_kinds)), size=size)
    return Schedule(due, _keys(plan, rng, size), np.where(is_bad, kinds, -1))


def _send_times(plan: LoadPlan, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Invert the cumulative rate: the i-th request is due when the rate's integral reaches i."""
    time, cumulative = _cumulative_rate(plan)
    total = cumulative[-1]
    if plan.spacing == "even":
        counts = np.arange(int(np.ceil(total - 1e-9)), dtype=np.float64)
    else:
        # Ten standard deviations more than the expected number of arrivals.
        max_count = int(total + 10 * np.sqrt(total) + 10)
        counts = rng.exponential(size=max_count).cumsum()
        counts = counts[counts < total]
    return np.interp(counts, cumulative, time)


def _cumulative_rate(plan: LoadPlan) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the phase ends in seconds and the requests due by then; both arrays start at 0."""
    cycle = np.array([phase.seconds for phase in plan.phases])
    cycles = int(np.ceil(plan.seconds / cycle.sum()))
    ends = np.concatenate([[0.0], np.tile(cycle, cycles).cumsum()])
    rates = np.tile([phase.factor * plan.rate for phase in plan.phases], cycles)
    time = np.minimum(ends, plan.seconds)
    return time, np.concatenate([[0.0], (np.diff(time) * rates).cumsum()])


def _keys(plan: LoadPlan, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    if plan.keys == 0:
        return np.full(size, -1)
    weights = np.arange(1, plan.keys + 1, dtype=np.float64) ** -plan.zipf_exponent
    return rng.choice(plan.keys, size=size, p=weights / weights.sum()).astype(np.int64)
