"""Sends lineage events in the background: no process waits for a transport, or stops with it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from queue import Full, Queue
from threading import Thread
from typing import Protocol

import structlog

from modstream.lineage.runs import LineageRun
from modstream.settings import Settings

Emit = Callable[[LineageRun], str | None]
"""Sends the event of a run, and returns what has failed, if anything; may also raise anything."""
Connect = Callable[[], AbstractContextManager[Emit]]
"""Opens the function that sends events."""
NOT_SENT = "lineage events not sent"
QUEUE_LENGTH = 1000
CLOSE_SECONDS = 5.0
"""How long the end of a process waits for events that are not sent yet."""


class Lineage(Protocol):
    """Takes the runs that become events."""

    def record(self, run: LineageRun) -> None:
        """Take one; never raises, and never waits."""


class NoLineage:
    """Takes runs and sends nothing."""

    def record(self, run: LineageRun) -> None:
        """Do nothing."""


NO_LINEAGE = NoLineage()


class LineageEmitter:
    """Sends events in a thread of its own, in their order.

    What fails is logged once, however often it fails. Events are dropped while `QUEUE_LENGTH` wait.
    `connect` opens the function that sends, in that thread, too.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._queue: Queue[LineageRun | None] = Queue(QUEUE_LENGTH)
        self._has_failed = False
        self._thread = Thread(target=self._send_all, name="lineage", daemon=True)
        self._thread.start()

    def record(self, run: LineageRun) -> None:
        """Take a run."""
        try:
            self._queue.put_nowait(run)
        except Full:
            self._fail("too many events wait")

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait until all events are sent, at most some seconds."""
        try:
            self._queue.put(None, timeout=seconds)
        except Full:
            return
        self._thread.join(seconds)

    def _send_all(self) -> None:
        emit: Emit | None = None
        with ExitStack() as stack:
            while (run := self._queue.get()) is not None:
                try:
                    emit = emit or stack.enter_context(self._connect())
                    if (problem := emit(run)) is not None:
                        self._fail(problem)
                except Exception as error:  # noqa: BLE001 - whatever a transport raises
                    self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, cause: str) -> None:
        if not self._has_failed:
            self._has_failed = True
            structlog.get_logger(__name__).warning(NOT_SENT, cause=cause)


@contextmanager
def open_lineage(settings: Settings) -> Iterator[Lineage]:
    """Yield where to record runs; on leaving, wait for the events that are not sent yet."""
    if not settings.lineage.enabled:
        yield NO_LINEAGE
        return
    connect = _load(settings)
    if connect is None:
        yield NO_LINEAGE
        return
    emitter = LineageEmitter(connect)
    try:
        yield emitter
    finally:
        emitter.close()


def _load(settings: Settings) -> Connect | None:
    """Return how to connect; None if the extra is not installed, which is logged."""
    try:
        from modstream.lineage.client import connect  # noqa: PLC0415 - an extra
    except ImportError as error:
        cause = f"{error}; install it with: pip install 'modstream[lineage]'"
        structlog.get_logger(__name__).warning(NOT_SENT, cause=cause)
        return None
    return partial(connect, settings)
