"""A watchdog that ends a stalled process, so that its supervisor starts it again.

Kafka clients are known to stop silently (docs/adr/0015), and then raise no error to react to.
"""

import faulthandler
from collections.abc import Callable
from threading import Event
from time import monotonic, time
from typing import Protocol, Self

import structlog

from modstream.broker.errors import BrokerError
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.loop.progress import EXIT_STALLED, ProgressTracker
from modstream.broker.wire.records import OffsetRanges, TopicPartition
from modstream.process.background import BackgroundThread
from modstream.process.health import HealthFiles, HealthReport, exit_process

CHECKS_PER_TIMEOUT = 10
"""Progress checks within the timeout."""
MAX_CHECK_INTERVAL_S = 5.0
"""Maximum seconds between two checks, and so between two health reports."""
JOIN_TIMEOUT_S = 1.0
"""The thread may be waiting for a broker that does not answer; its result is not needed then."""


class WorkProbe(Protocol):
    """The pending and completed work of a process."""

    def pending(self) -> OffsetRanges:
        """Return the offsets that wait in this process's own partitions.

        Raises:
            BrokerError: the broker does not answer.
        """

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether these offsets hold a record, not only transaction markers."""

    def deliveries(self) -> int:
        """Return a counter that increases with every delivery."""

    def drained_polls(self) -> int:
        """Return a counter that increases whenever a poll left nothing more to read."""


def no_problems() -> str:
    """Return no problems: the default of a process whose health is its progress alone."""
    return ""


class StallWatchdog:
    """Ends a process whose partitions have pending records but no deliveries; reports its health.

    A process that makes progress is unhealthy nevertheless while `problems` returns a text.

    After `timeout_seconds` without progress the process exits with code 75. While the broker does
    not answer, a restart would not help: the process is reported as unhealthy and continues. The
    crash journal gets the reason of the end, since records in hand may have caused it.
    """

    def __init__(  # noqa: PLR0913 - one argument for each collaborator
        self,
        name: str,
        probe: WorkProbe,
        timeout_seconds: float,
        health_files: HealthFiles,
        *,
        journal: CrashJournal | None = None,
        exit_process: Callable[[int], None] = exit_process,
        problems: Callable[[], str] = no_problems,
    ) -> None:
        self._name = name
        self._probe = probe
        self._timeout_seconds = timeout_seconds
        self._health_files = health_files
        self._journal = journal
        self._exit_process = exit_process
        self._problems = problems
        self._tracker: ProgressTracker[TopicPartition] = ProgressTracker()
        self._outage = ""
        # A health file that cannot be written must not end the watch.
        self._thread = BackgroundThread("stall-watchdog", self._watch, retry_on=(OSError,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop(JOIN_TIMEOUT_S)
        self._health_files.remove(self._name)

    def _watch(self, stop: Event) -> None:
        interval = min(self._timeout_seconds / CHECKS_PER_TIMEOUT, MAX_CHECK_INTERVAL_S)
        deliveries, drained = self._probe.deliveries(), self._probe.drained_polls()
        while not stop.wait(interval):
            before = deliveries, drained
            deliveries, drained = self._probe.deliveries(), self._probe.drained_polls()
            is_busy = deliveries != before[0] and drained == before[1]
            try:
                pending = self._probe.pending()
                stalled = self._find_stalled(pending, is_busy=is_busy)
            except BrokerError as error:
                self._tracker.reset()
                self._note_outage(str(error))
                self._report(None, is_healthy=False, reason=str(error))
                continue
            self._note_outage("")
            if stalled:
                self._terminate(stalled)
                return
            lag = count_offsets(pending)
            self._report(lag, is_healthy=True, reason="records wait" if lag else "nothing waits")

    def _note_outage(self, reason: str) -> None:
        """Log once that the broker does not answer, and once that it answers again."""
        if bool(reason) == bool(self._outage):
            return
        self._outage = reason
        log = structlog.get_logger(__name__)
        if reason:
            log.warning("Kafka does not answer", name=self._name, reason=reason)
        else:
            log.info("Kafka answers again", name=self._name)

    def _find_stalled(self, pending: OffsetRanges, *, is_busy: bool) -> OffsetRanges:
        """Return the ranges that have waited too long, if they hold a record."""
        now = monotonic()
        starts = {partition: start for partition, (start, _) in pending.items()}
        self._tracker.observe(starts, now, is_busy=is_busy)
        overdue = self._tracker.stalled(self._timeout_seconds, now)
        stalled = {partition: pending[partition] for partition in overdue}
        if stalled and not self._probe.has_records(stalled):
            self._tracker.reset()
            return {}
        return stalled

    def _terminate(self, stalled: OffsetRanges) -> None:
        lag, partitions = count_offsets(stalled), ", ".join(map(str, sorted(stalled)))
        reason = (
            f"{lag:,} offsets of {partitions} wait and none was delivered for"
            f" {self._timeout_seconds:g} s"
        )
        self._report(lag, is_healthy=False, reason=reason)
        structlog.get_logger(__name__).error("process stalled", name=self._name, reason=reason)
        faulthandler.dump_traceback()  # The only evidence of where the threads are blocked.
        if self._journal is not None:
            self._journal.note_stall(f"stalled: {reason}", self._timeout_seconds)
        self._exit_process(EXIT_STALLED)

    def _report(self, lag: int | None, *, is_healthy: bool, reason: str) -> None:
        problems = self._problems()
        if is_healthy and problems:
            is_healthy, reason = False, problems
        self._health_files.write(HealthReport(self._name, is_healthy, reason, lag, time()))


def count_offsets(ranges: OffsetRanges) -> int:
    """Return the number of offsets in all ranges."""
    return sum(end - start for start, end in ranges.values())
