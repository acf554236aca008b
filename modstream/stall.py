"""A process that no longer moves ends, so that its supervisor can start it again.

Kafka clients are known to stop silently, and `send_offsets_to_transaction` to ignore its timeout
(https://github.com/confluentinc/librdkafka/issues/5456): from within neither can be noticed.
"""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic, time
from typing import Protocol, Self

import structlog

from broker.errors import BrokerError
from modstream.health import Healthbook, Report, end_process

STALLED = 75
"""The exit code: a state that a restart may mend (sysexits.h, EX_TEMPFAIL)."""
LOOKS = 10
"""Looks within the patience."""
LONGEST_PAUSE = 5.0
"""Seconds between two looks, and so between two reports, at most."""


class Work(Protocol):
    """What a process has to do and has done."""

    def lag(self) -> int:
        """Offsets that wait in this process's own partitions; raises BrokerError."""

    def waits(self) -> bool:
        """Whether among these offsets there is a record: they may be transactions' markers."""

    def done(self) -> int:
        """A count that grows with every delivery."""


class StallWatch:
    """Looks whether records wait while nothing is delivered, and tells the healthbook.

    Without progress for `patience` seconds the process is ended. While nobody answers the
    question for the lag a restart would change nothing: then it is unhealthy, and goes on.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        patience: float,
        book: Healthbook,
        end: Callable[[int], None] = end_process,
    ) -> None:
        self._name = name
        self._work = work
        self._patience = patience
        self._book = book
        self._end = end
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="stall-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        # It may be waiting for a broker that does not answer; nobody needs what it would learn.
        self._thread.join(1.0)
        self._book.forget(self._name)

    def _watch(self) -> None:
        done, moved_at = self._work.done(), monotonic()
        while not self._stop.wait(min(self._patience / LOOKS, LONGEST_PAUSE)):
            now = self._work.done()
            try:
                lag = self._work.lag()
                has_moved = now != done or lag == 0
                is_due = not has_moved and monotonic() - moved_at >= self._patience
                stalled = is_due and self._work.waits()
            except BrokerError as error:
                moved_at = monotonic()
                self._report(None, healthy=False, reason=str(error))
                continue
            if stalled:
                self._give_up(lag)
                return
            if has_moved or is_due:
                done, moved_at = now, monotonic()
            self._report(lag, healthy=True, reason="records wait" if lag else "nothing waits")

    def _give_up(self, lag: int) -> None:
        reason = f"{lag:,} offsets wait and nothing was delivered for {self._patience:g} s"
        self._report(lag, healthy=False, reason=reason)
        structlog.get_logger(__name__).error("stalled", name=self._name, reason=reason)
        self._end(STALLED)

    def _report(self, lag: int | None, *, healthy: bool, reason: str) -> None:
        self._book.write(Report(self._name, healthy, reason, lag, time()))
