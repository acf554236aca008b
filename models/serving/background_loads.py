"""Loads in background threads: one for each reference, a few at once, each with a limit."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar, cast

import structlog

from modstream.models.errors import ModelError

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
MAX_QUEUED_LOADS = 256
"""Loads that wait for their turn; a flood of references must not grow the queue without a bound."""

log = structlog.get_logger(__name__)


class Load(Generic[Result]):
    """One load: not begun, running, or done with a result or an error."""

    def __init__(self, run: Callable[[], Result]) -> None:
        self.run = run
        self._done = Event()
        self._result: Result | None = None
        self._error: ModelError | None = None
        self.started_at: float | None = None
        self.waited_seconds = 0.0
        """How long requests have waited for this load in all."""
        self.is_repeated = False
        """Whether it was asked for again while it waited or ran."""

    @property
    def is_done(self) -> bool:
        """Whether it has a result or an error."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; return whether it has ended."""
        return self._done.wait(seconds)

    def timed_wait(self, seconds: float) -> float:
        """Wait for the end, at most so long; return how long that was."""
        started = time.monotonic()
        self.wait(seconds)
        return time.monotonic() - started

    def result(self) -> Result:
        """Return the result, or raise the error, of a load that is done."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        return cast("Result", self._result)

    def execute(self) -> None:
        """Run the load, and keep its result or its error."""
        try:
            self._result = self.run()
        except ModelError as error:
            self._error = error
        except Exception as error:
            # Nobody has foreseen it, and it must not end the thread without a result.
            log.exception("loading a model failed")
            self._error = ModelError(f"loading failed: {type(error).__name__}: {error}")
        finally:
            self._done.set()


class BackgroundLoads(Generic[Key, Result]):
    """Runs loads in daemon threads, by key; a load that takes too long gives up its turn.

    Args:
        parallel: how many loads run at once.
        repeats: whether a load that was asked for while it ran is run once more, as what it
            loaded may be outdated by then.
        limit_seconds: a load that runs longer no longer counts among them; its thread goes on, as
            a thread cannot be stopped.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        parallel: int,
        limit_seconds: float,
        *,
        repeats: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parallel = parallel
        self._repeats = repeats
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._lock = Lock()
        self._queued: OrderedDict[Key, Load[Result]] = OrderedDict()
        self._running: dict[Key, Load[Result]] = {}

    def begin(self, key: Key, run: Callable[[], Result]) -> Load[Result] | None:
        """Return the key's load, begun now unless it runs already; None if too many wait."""
        with self._lock:
            found = self._queued.get(key) or self._running.get(key)
            if found is not None and not found.is_done:
                found.is_repeated = True
                return found
            if len(self._queued) >= MAX_QUEUED_LOADS:
                return None
            load = self._queued[key] = Load(run)
            self._start_next()
        return load

    def join(self, seconds: float) -> None:
        """Drop the loads that wait, and wait for those that run, at most so long."""
        with self._lock:
            self._queued.clear()
            running = list(self._running.values())
        deadline = self._clock() + seconds
        for load in running:
            load.wait(max(0.0, deadline - self._clock()))

    def is_overdue(self, load: Load[Result]) -> bool:
        """Return whether a load has run longer than the limit and still runs."""
        started = load.started_at
        is_late = started is not None and self._clock() - started > self._limit_seconds
        return is_late and not load.is_done

    def poll(self) -> None:
        """Give the turns of loads that are overdue to others; called now and then."""
        with self._lock:
            self._start_next()

    def _start_next(self) -> None:
        counted = sum(not self.is_overdue(load) for load in self._running.values())
        while self._queued and counted < self._parallel:
            key, load = self._queued.popitem(last=False)
            load.started_at = self._clock()
            self._running[key] = load
            counted += 1
            Thread(target=self._execute, args=[key, load], name="model-load", daemon=True).start()

    def _execute(self, key: Key, load: Load[Result]) -> None:
        load.execute()
        with self._lock:
            if self._running.get(key) is load:
                del self._running[key]
            is_begun_again = key in self._queued or key in self._running
            if self._repeats and load.is_repeated and not is_begun_again:
                self._queued[key] = Load(load.run)
            self._start_next()
