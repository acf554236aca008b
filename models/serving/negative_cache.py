"""A cache of failures, so that repeated requests do not repeat a failing operation."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Generic, TypeVar

from modstream.models.errors import ModelError

Key = TypeVar("Key", bound=tuple[object, ...])
MAX_ENTRIES = 1000
MAX_CHARACTERS = 1_000_000
"""Limit for the keys and messages together: a client chooses the names in them."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ModelError
    message: str
    ttl_seconds: float
    retry_at: float


class NegativeCache(Generic[Key]):
    """The latest failure of each key; the oldest are evicted above a number or size of them.

    A failure is raised again for `ttl_seconds`, and for twice as long as the last time if the key
    has failed again, up to `max_ttl_seconds`. After that the operation may be tried again, but
    `reasons` still lists the failure until it is discarded.
    """

    def __init__(
        self,
        ttl_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        max_ttl_seconds: float | None = None,
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_ttl_seconds = max_ttl_seconds or ttl_seconds
        self._clock = clock
        self._failures: dict[Key, _Failure] = {}
        self._characters = 0
        self._lock = Lock()

    def raise_if_recent(self, key: Key) -> None:
        """Raise the failure recorded for `key` if it may not be tried again yet."""
        found = self._failures.get(key)
        if found is not None and self._clock() < found.retry_at:
            raise _copy(found.error)

    def record(self, key: Key, error: ModelError) -> bool:
        """Record a failure; return whether it differs from the one recorded for `key` before."""
        message, now = str(error), self._clock()
        with self._lock:
            known = self._remove(key)
            ttl = self._ttl_seconds
            if known is not None and now >= known.retry_at:
                ttl = min(2 * known.ttl_seconds, self._max_ttl_seconds)
            self._failures[key] = _Failure(_copy(error), message, ttl, now + ttl)
            self._characters += _size(key, message)
            while len(self._failures) > MAX_ENTRIES or self._characters > MAX_CHARACTERS:
                self._remove(next(iter(self._failures)))
        return known is None or known.message != message

    def discard(self, key: Key) -> None:
        """Remove the failure of `key`, if there is one."""
        with self._lock:
            self._remove(key)

    def reasons(self) -> Mapping[Key, str]:
        """Return the message of each recorded failure, as a read-only copy."""
        with self._lock:
            reasons = {key: failure.message for key, failure in self._failures.items()}
        return MappingProxyType(reasons)

    def _remove(self, key: Key) -> _Failure | None:
        known = self._failures.pop(key, None)
        if known is not None:
            self._characters -= _size(key, known.message)
        return known


def _size(key: tuple[object, ...], message: str) -> int:
    return sum(len(part) for part in key if isinstance(part, str)) + len(message)


def _copy(error: ModelError) -> ModelError:
    """Return the same error without its traceback, whose frames hold whole batches in memory."""
    copied = type(error).__new__(type(error))
    copied.args = error.args
    copied.__dict__.update(error.__dict__)
    return copied
