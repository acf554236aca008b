"""The revision of the dashboard's figures, which grows at most once a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event

import structlog

INTERVAL_S = 1.0
"""Minimum time between two updates."""
IDLE_INTERVALS = 10
"""Number of intervals after which there is an update although nothing was read: the figures of the
last seconds change nevertheless."""

UpdateCallback = Callable[[int], None]
"""Receives the new revision."""


class UpdateSignal:
    """A revision that grows when `mark` returns something else; safe for several threads.

    `run` is the target of one background thread.
    """

    def __init__(self, mark: Callable[[], object], interval: float = INTERVAL_S) -> None:
        self._mark = mark
        self._interval = interval
        self._changed = Condition()
        self._revision = 0
        self._is_ended = False
        self._callbacks: dict[int, UpdateCallback] = {}
        self._next_key = 0

    @property
    def revision(self) -> int:
        """The number of updates so far."""
        with self._changed:
            return self._revision

    def wait(self, after: int, timeout: float) -> int:
        """Wait until the revision is above `after` or no update will come; return it.

        The wait ends after `timeout` seconds at the latest.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._revision > after or self._is_ended, timeout)
            return self._revision

    @contextmanager
    def subscribed(self, callback: UpdateCallback) -> Iterator[None]:
        """Call `callback` after each update, from the thread of the updates, until left."""
        with self._changed:
            key = self._next_key
            self._next_key += 1
            self._callbacks[key] = callback
        try:
            yield
        finally:
            with self._changed:
                del self._callbacks[key]

    def run(self, stop: Event) -> None:
        """Look for changes every interval until `stop` is set."""
        last, idle = self._mark(), 0
        try:
            while not stop.wait(self._interval):
                mark = self._mark()
                idle += 1
                if mark != last or idle >= IDLE_INTERVALS:
                    last, idle = mark, 0
                    self._update()
        finally:
            with self._changed:
                self._is_ended = True
                self._changed.notify_all()

    def _update(self) -> None:
        with self._changed:
            self._revision += 1
            revision, callbacks = self._revision, list(self._callbacks.values())
            self._changed.notify_all()
        for callback in callbacks:
            try:
                callback(revision)
            except Exception as error:  # noqa: BLE001 - one subscriber must not end the updates
                # An event loop that has just been closed refuses the call.
                structlog.get_logger(__name__).warning("an update was not taken", cause=str(error))
