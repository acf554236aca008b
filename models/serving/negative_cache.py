"""A cache of failures, so that repeated requests do not repeat a failing operation."""

import time
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Generic, TypeVar

from modstream.models.errors import ModelError

Key = TypeVar("Key")
MAX_ENTRIES = 1000


class NegativeCache(Generic[Key]):
    """The latest failure of each key, for at most `MAX_ENTRIES` keys; the oldest is evicted first.

    A failure is raised again for `ttl_seconds`. After that the operation may be tried again, but
    `reasons` still lists the failure until it is discarded.
    """

    def __init__(self, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._failures: dict[Key, tuple[ModelError, float]] = {}
        self._lock = Lock()

    def raise_if_recent(self, key: Key) -> None:
        """Raise the failure recorded for `key` if it is younger than `ttl_seconds`."""
        error, retry_at = self._failures.get(key, (None, 0.0))
        if error is not None and self._clock() < retry_at:
            # An error that is raised repeatedly would otherwise grow its traceback each time.
            raise error.with_traceback(None)

    def record(self, key: Key, error: ModelError) -> bool:
        """Record a failure; return whether it differs from the one recorded for `key` before."""
        with self._lock:
            known, _ = self._failures.pop(key, (None, 0.0))
            self._failures[key] = error, self._clock() + self._ttl_seconds
            if len(self._failures) > MAX_ENTRIES:
                del self._failures[next(iter(self._failures))]
        return str(known) != str(error)

    def discard(self, key: Key) -> None:
        """Remove the failure of `key`, if there is one."""
        with self._lock:
            self._failures.pop(key, None)

    def reasons(self) -> Mapping[Key, str]:
        """Return the message of each recorded failure, as a read-only copy."""
        with self._lock:
            reasons = {key: str(error) for key, (error, _) in self._failures.items()}
        return MappingProxyType(reasons)
