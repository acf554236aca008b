"""The time that a search may take, by the processor's clock or by the wall's."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

BudgetClock = Literal["cpu", "wall"]
MAX_STEP_SHARE = 0.25
"""Largest share of a budget that one step may take by its estimate."""


class Spent(NamedTuple):
    """What a piece of work took, in seconds of both clocks."""

    cpu: float
    wall: float


class Stopwatch:
    """Measures processor time of this process, with all its threads, and wall time."""

    def __init__(
        self,
        cpu: Callable[[], float] = time.process_time,
        wall: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._cpu, self._wall = cpu, wall
        self._start = Spent(cpu(), wall())

    def spent(self) -> Spent:
        """Return the time since the start."""
        return Spent(self._cpu() - self._start.cpu, self._wall() - self._start.wall)


class Budget:
    """Seconds that a search may take; the clock starts when this is created."""

    def __init__(self, seconds: float, clock: BudgetClock, watch: Stopwatch | None = None) -> None:
        self.seconds = seconds
        self._clock = clock
        self._watch = watch or Stopwatch()

    def used(self) -> float:
        """Return the seconds since the start, by the clock of the budget."""
        spent = self._watch.spent()
        return spent.cpu if self._clock == "cpu" else spent.wall

    def share(self) -> float:
        """Return the share that is used, 0 to 1."""
        return min(1.0, self.used() / self.seconds) if self.seconds > 0 else 1.0

    def allows(self, estimate: float = 0.0) -> bool:
        """Return whether a step of `estimate` seconds fits into what is left.

        A step that would take more than `MAX_STEP_SHARE` of the whole budget never does.
        """
        fits = self.used() + estimate < self.seconds
        return fits and estimate <= MAX_STEP_SHARE * self.seconds
