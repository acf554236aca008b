"""Failures remembered for a while, so that a flood of requests does not repeat them all."""

import time
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Generic, TypeVar

from modstream.models.errors import ModelError

Key = TypeVar("Key")
MOST = 1000


class Failures(Generic[Key]):
    """What failed lately, by key: at most a thousand failures, the oldest forgotten first.

    A failure stays visible in `reasons` until it is forgotten, but after `seconds` it no longer
    stands in the way of another try.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._failures: dict[Key, tuple[ModelError, float]] = {}
        self._lock = Lock()

    def check(self, key: Key) -> None:
        """Raise the failure remembered for `key`, if it is younger than `seconds`."""
        error, retry_at = self._failures.get(key, (None, 0.0))
        if error is not None and self._clock() < retry_at:
            # raised again and again, one error would grow its traceback for ever
            raise error.with_traceback(None)

    def note(self, key: Key, error: ModelError) -> bool:
        """Remember a failure; tell whether it is another one than was known for `key`."""
        with self._lock:
            known, _ = self._failures.pop(key, (None, 0.0))
            self._failures[key] = error, self._clock() + self._seconds
            if len(self._failures) > MOST:
                del self._failures[next(iter(self._failures))]
        return str(known) != str(error)

    def forget(self, key: Key) -> None:
        """Forget the failure of `key`, if there is one."""
        with self._lock:
            self._failures.pop(key, None)

    def reasons(self) -> Mapping[Key, str]:
        """What failed and why, as sentences; a copy of this moment."""
        with self._lock:
            reasons = {key: str(error) for key, (error, _) in self._failures.items()}
        return MappingProxyType(reasons)
