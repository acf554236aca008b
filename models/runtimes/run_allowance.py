"""How much processor time a model's next run may take."""

import time
from collections.abc import Callable

MAX_TIMEOUTS = 3
"""After so many rows that had to be ended alone, a model is exhausted."""
MAX_LOST_SECONDS = 35.0
"""After so many seconds in runs that had to be ended, a model is exhausted: the requests to other
models have waited all that time, and a worker that stands still for a minute is restarted."""
USUAL_FACTOR = 50
"""A run may take so many times as long as the slowest one before it did for its size."""
MIN_LIMIT_SECONDS = 1.0
MIN_SEARCH_SECONDS = 0.2
"""The smallest limit while the row is searched for which a run had to be ended."""
FORGET_SECONDS = 600.0
"""How long a run that had to be ended counts."""


class RunAllowance:
    """The limit of one model's runs, in seconds of processor time.

    A model that has not run yet has the full limit. After that, a run has a multiple of what the
    runs before it took for their size: the number of rows, or of a tensor's elements.

    A batch that exceeds the limit is predicted again in halves, to find the row that is to blame.
    With the same limit for each half that would take long. So these runs have at most twice the
    time that their rows had in the batch. A model that exceeds the limit again and again is
    exhausted, and has no time at all.
    """

    __slots__ = (
        "_at",
        "_clock",
        "_ended_limit",
        "_ended_rows",
        "_limit",
        "_lost",
        "_slowest",
        "_timeouts",
    )

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._slowest = 0.0  # seconds for one row or element; 0.0 before the first run
        self._ended_rows = 0  # rows of the batch that was ended first; 0 for none
        self._ended_limit = 0.0
        self._at = 0.0
        self._lost = 0.0
        self._timeouts = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether runs had to be ended so often, or for so long, that there should be no more."""
        return self._timeouts >= MAX_TIMEOUTS or self._lost > MAX_LOST_SECONDS

    def limit(self, rows: int, size: int) -> float:
        """Return how many seconds a run of so many rows may take; 0.0 if there must be none."""
        usual = USUAL_FACTOR * self._slowest * size if self._slowest else self._limit
        if self._ended_rows:
            if self.is_exhausted:
                return 0.0
            if self._clock() - self._at <= FORGET_SECONDS:
                share = 2 * self._ended_limit * rows / self._ended_rows
                return min(self._limit, max(MIN_SEARCH_SECONDS, min(usual, share)))
            self._ended_rows, self._lost, self._timeouts = 0, 0.0, 0
        return min(self._limit, max(MIN_LIMIT_SECONDS, usual))

    def note_run(self, size: int, seconds: float) -> None:
        """Count a run that came to its end."""
        self._slowest = max(self._slowest, seconds / size)

    def note_timeout(self, rows: int, limit: float, seconds: float) -> None:
        """Count a run of some rows that was ended after its limit; `seconds` is what it took."""
        if not self._ended_rows:
            self._ended_rows, self._ended_limit = rows, limit
        self._at = self._clock()
        self._lost += seconds
        self._timeouts += rows == 1
