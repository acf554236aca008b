"""How many requests may wait: as many as are answered about as fast as without load.

Answers slow down as soon as more requests wait than the workers need to be busy; further ones add
waiting time only. The limit follows the latency, as in TCP Vegas (Brakmo and Peterson, "TCP Vegas:
End to End Congestion Avoidance on a Global Internet", 1995) and in Netflix's concurrency-limits: it
shrinks in proportion to a latency that is too high, and grows by its square root while the latency
is good and the limit is used.

A burst, or a pause of a server, is no overload: it passes by itself, and refusals would only add
retries. So the limit is exceeded freely for a moment, as in CoDel (RFC 8289), up to the maximum.
"""

from math import inf, sqrt

WINDOW_SECONDS = 0.25
MIN_SAMPLES = 16
"""A window is at least so long, and has at least so many latencies."""
TOLERANCE = 1.6
"""How many times the base latency the mean of a window may be."""
DRIFT = 1.002
"""Growth of the base latency in every window, so that it follows a system that became slower."""
USED_SHARE = 0.75
"""Share of the limit that must be used before it grows."""
START_FACTOR = 2
"""The first limit, as a multiple of the smallest one."""
GRACE_SECONDS = 1.0
"""How long the limit may be exceeded."""
CALM_SECONDS = 1.0
"""Time below the limit after which it may be exceeded again."""
MAX_SHRINK = 0.5
"""The smallest factor of one step down."""
OVERLOAD_SHARE = 0.375
"""Share of the minimum that remains in a window in which more calls are refused than answered."""


class ConcurrencyLimit:
    """A limit between two bounds; `minimum` and `maximum` may be equal.

    While more calls are refused than answered, refusals take much of the processor, and the limit
    may fall below `minimum`.

    Attributes:
        value: the number of requests that may wait for longer than a moment.
        base: the latency without load, in seconds: the smallest mean of a window so far.
    """

    def __init__(self, minimum: int, maximum: int) -> None:
        self._minimum, self._maximum = min(minimum, maximum), maximum
        self.value = min(self._minimum * START_FACTOR, maximum)
        self.base = inf
        self._ends = self._full_at = self._full_since = -inf
        self._count = self._peak = self._refused = 0
        self._sum = 0.0

    def admits(self, in_flight: int, now: float) -> bool:
        """Return whether one more request may wait beside those in flight."""
        if in_flight < self.value:
            return True
        if now - self._full_at > CALM_SECONDS:
            self._full_since = now
        self._full_at = now
        if in_flight < self._maximum and now - self._full_since < GRACE_SECONDS:
            return True
        self._refused += 1
        return False

    def add(self, latency: float, in_flight: int, now: float) -> None:
        """Take the latency of an answered request.

        Args:
            latency: its time from being sent to its answer, in seconds.
            in_flight: how many requests waited when it was answered, itself included.
            now: the time in seconds, of a clock that does not run backwards.
        """
        self._count += 1
        self._sum += latency
        self._peak = max(self._peak, in_flight)
        if self._count >= MIN_SAMPLES and now >= self._ends:
            self._adjust(self._sum / self._count)
            self._ends = now + WINDOW_SECONDS
            self._count, self._sum, self._peak, self._refused = 0, 0.0, 0, 0

    def _adjust(self, mean: float) -> None:
        """Adjust the limit to the mean latency of a window."""
        self.base = min(mean, self.base * DRIFT)
        good = TOLERANCE * self.base
        is_overloaded = self._refused > self._count
        minimum = int(self._minimum * OVERLOAD_SHARE) if is_overloaded else self._minimum
        if mean > good:
            factor = max(good / mean, MAX_SHRINK)
            self.value = max(minimum, int(self.value * factor))
        elif self._peak >= USED_SHARE * self.value:
            self.value = min(self._maximum, self.value + int(sqrt(self.value)))
