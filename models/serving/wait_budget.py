"""A bound for the time that the serving thread waits for models that are not loaded."""

import time
from collections.abc import Callable


class WaitBudget:
    """Seconds that may be waited: at most `burst` at once, and `share` of the time in the long run.

    It is a token bucket that is full at first. Only one thread may use it.
    """

    def __init__(
        self, burst: float, share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._share = share
        self._clock = clock
        self._seconds = burst
        self._updated = clock()

    def available(self) -> float:
        """Return how long may be waited now."""
        now = self._clock()
        self._seconds = min(self._burst, self._seconds + (now - self._updated) * self._share)
        self._updated = now
        return max(0.0, self._seconds)

    def spend(self, seconds: float) -> None:
        """Take the seconds that were waited."""
        self._seconds -= seconds
