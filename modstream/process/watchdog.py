"""A process that no longer moves ends, so that its supervisor can start it again.

Kafka clients are known to stop silently (docs/adr/0015): from within that can't be noticed.
"""

import faulthandler
from collections.abc import Callable, Mapping
from threading import Event, Thread
from time import monotonic, time
from typing import NamedTuple, Protocol, Self

import structlog

from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import TopicPartition
from modstream.process.health import Healthbook, Report, end_process

STALLED = 75
"""The exit code: a state that a restart may mend (sysexits.h, EX_TEMPFAIL)."""
LOOKS = 10
"""Looks within the patience."""
LONGEST_PAUSE = 5.0
"""Seconds between two looks, and so between two reports, at most."""

Spans = Mapping[TopicPartition, tuple[int, int]]
"""Offsets that wait: by partition the next one, and where it ends; none that has nothing."""


class Work(Protocol):
    """What a process has to do and has done."""

    def waiting(self) -> Spans:
        """What waits in this process's own partitions; raises BrokerError."""

    def holds_record(self, spans: Spans) -> bool:
        """Whether among these offsets there is a record: they may be transactions' markers."""

    def done(self) -> int:
        """A count that grows with every delivery."""

    def drained(self) -> int:
        """A count that grows whenever nothing else was left to take."""


class Stand(NamedTuple):
    """Where a partition stands, and since when (`monotonic`)."""

    offset: int
    since: float


class Stillness:
    """How long each partition has stood still while its process had time for it.

    A process that works through a backlog of other partitions all the time neglects none.
    """

    def __init__(self) -> None:
        self._stands: dict[TopicPartition, Stand] = {}

    def note(self, spans: Spans, now: float, *, is_busy: bool) -> None:
        """Take a look into account; `is_busy` if other work came all the time since the last."""
        known = {} if is_busy else self._stands
        fresh = {home: Stand(start, now) for home, (start, _) in spans.items()}
        self._stands = {
            home: known[home] if home in known and known[home].offset == stand.offset else stand
            for home, stand in fresh.items()
        }

    def beyond(self, patience: float, now: float) -> set[TopicPartition]:
        """The partitions that have stood still for so many seconds."""
        return {home for home, stand in self._stands.items() if now - stand.since >= patience}

    def forget(self) -> None:
        """Begin anew."""
        self._stands.clear()


class StallWatch:
    """Looks whether records of a partition wait while none is delivered, and tells the healthbook.

    Without progress for `patience` seconds the process is ended. While nobody answers the
    question for what waits a restart would change nothing: then it is unhealthy, and goes on.
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
        self._still = Stillness()
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
        done, drained = self._work.done(), self._work.drained()
        while not self._stop.wait(min(self._patience / LOOKS, LONGEST_PAUSE)):
            before = done, drained
            done, drained = self._work.done(), self._work.drained()
            is_busy = done != before[0] and drained == before[1]
            try:
                waiting = self._work.waiting()
                stalled = self._stalled(waiting, is_busy=is_busy)
            except BrokerError as error:
                self._still.forget()
                self._report(None, healthy=False, reason=str(error))
                continue
            if stalled:
                self._give_up(stalled)
                return
            lag = lag_of(waiting)
            self._report(lag, healthy=True, reason="records wait" if lag else "nothing waits")

    def _stalled(self, waiting: Spans, *, is_busy: bool) -> Spans:
        """What has waited for too long and holds a record."""
        now = monotonic()
        self._still.note(waiting, now, is_busy=is_busy)
        due = self._still.beyond(self._patience, now)
        stalled = {home: span for home, span in waiting.items() if home in due}
        if stalled and not self._work.holds_record(stalled):
            self._still.forget()
            return {}
        return stalled

    def _give_up(self, stalled: Spans) -> None:
        lag, where = lag_of(stalled), ", ".join(map(str, sorted(stalled)))
        reason = f"{lag:,} offsets of {where} wait and none was delivered for {self._patience:g} s"
        self._report(lag, healthy=False, reason=reason)
        structlog.get_logger(__name__).error("stalled", name=self._name, reason=reason)
        faulthandler.dump_traceback()  # Where every thread stands: only now can that be seen.
        self._end(STALLED)

    def _report(self, lag: int | None, *, healthy: bool, reason: str) -> None:
        self._book.write(Report(self._name, healthy, reason, lag, time()))


def lag_of(spans: Spans) -> int:
    """How many offsets wait."""
    return sum(end - start for start, end in spans.values())
