"""Detection of a process that has work and makes no progress, and the code it exits with."""

import os
from collections.abc import Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

EXIT_STALLED = os.EX_TEMPFAIL
"""Exit code 75 of sysexits.h: a temporary failure, which a restart may fix."""

KeyT = TypeVar("KeyT", bound=Hashable)


class LastProgress(NamedTuple):
    """The progress last seen, and the monotonic time (s) at which it was first seen."""

    progress: object
    since: float


class ProgressTracker(Generic[KeyT]):
    """How long each item of pending work has made no progress while its process had time for it.

    A process that is busy with other items all the time neglects none of them.
    """

    def __init__(self) -> None:
        self._seen: dict[KeyT, LastProgress] = {}

    def observe(self, pending: Mapping[KeyT, object], now: float, *, is_busy: bool = False) -> None:
        """Note the progress of all items that have pending work.

        Args:
            pending: the progress by item, any value that changes as its work is done.
            now: the monotonic time (s).
            is_busy: whether the process did other work without a pause since the last call.
        """
        known = {} if is_busy else self._seen
        self._seen = {
            key: known[key]
            if key in known and known[key].progress == progress
            else LastProgress(progress, now)
            for key, progress in pending.items()
        }

    def stalled(self, timeout_seconds: float, now: float) -> set[KeyT]:
        """Return the items without progress for at least `timeout_seconds`."""
        return {key for key, last in self._seen.items() if now - last.since >= timeout_seconds}

    def reset(self) -> None:
        """Forget all items, so that their time starts again with the next observation."""
        self._seen.clear()
