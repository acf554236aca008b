"""A token bucket: a limit in requests per second that lets short bursts pass."""

from math import ceil
from threading import Lock


class TokenBucket:
    """Permits `rate` requests per second, and at once as many as in one second; thread-safe."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._size = max(1.0, rate)
        self._tokens = self._size
        self._seen = 0.0
        self._lock = Lock()

    def take(self, now: float) -> int:
        """Take a token; return 0, or else after how many whole seconds there is one again.

        Args:
            now: a time in seconds that does not go back.
        """
        with self._lock:
            gained = max(0.0, now - self._seen) * self.rate
            self._tokens = min(self._size, self._tokens + gained)
            self._seen = now
            if self._tokens >= 1.0:
                self._tokens -= 1.0
                return 0
            return max(1, ceil((1.0 - self._tokens) / self.rate))
