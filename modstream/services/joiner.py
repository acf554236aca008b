"""The joiner service: joins late labels with their predictions."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import time
from typing import Self

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.permissions import may_write
from modstream.broker.client.topic_limits import read_record_limits
from modstream.broker.loop.crash_journal import JOURNAL_FOLDER, CrashJournal
from modstream.broker.wire.record_limits import RecordLimits
from modstream.process.activity import ActivityLog
from modstream.process.health import HealthFiles, HealthReport
from modstream.process.native_faults import NativeFaultHandler
from modstream.processors.errors import StateUnusable
from modstream.processors.join.faust.app import build_app
from modstream.processors.join.faust.run import run_app
from modstream.processors.join.joiner import Joiner
from modstream.processors.join.ports import Protection
from modstream.processors.join.transitions import JoinCounter
from modstream.settings import Settings
from modstream.telemetry.joiner import JoinerMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.traces.ports import NO_TRACING, ProcessTracing


def run_joiner(
    settings: Settings, metrics: ProcessMetrics = NO_METRICS, tracing: ProcessTracing = NO_TRACING
) -> int:
    """Join until SIGTERM or Ctrl-C; return the exit code, 0 after a normal stop.

    Raises:
        StateUnusable: the folder of the state cannot be written, or another joiner uses it.
    """
    folder = settings.home / "joiner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateUnusable(folder, str(error)) from error
    log = structlog.get_logger(__name__)
    log.info("joiner starting", stream=settings.stream, home=str(settings.home))
    topics = settings.topics()
    joiner = replace(
        settings.joiner,
        partitions=settings.partitions,
        data_dir=folder,
        forward_labels=can_forward_labels(settings),
    )
    timeout = joiner.stall_timeout
    journal = CrashJournal(settings.home / JOURNAL_FOLDER / topics.group("joiner"))
    with journal, NativeFaultHandler(timeout, journal.report):
        written = [topics.feedback, topics.unjoined, topics.dlq, topics.metrics, topics.labels]
        limits = RecordLimits(read_record_limits(Admin(settings.connection), written))
        protection = Protection(journal, limits)
        on_joined = tracing.joiner(topics.group("joiner"))
        app = build_app(settings.connection, topics, joiner, protection, on_joined)
        instance = joiner.instance_id
        name = topics.group("joiner") + (f"-{instance}" if instance else "")
        files = HealthFiles(settings.home, metrics.on_health)
        observe = metrics.add(JoinerMetrics()).update if metrics.is_on else ignore_figures
        with JoinerHealth(name, files, observe) as health:
            return run_app(app, health.report)


def can_forward_labels(settings: Settings) -> bool:
    """Return whether labels are to be forwarded, and the cluster permits it; if not, log why."""
    if not settings.joiner.forward_labels:
        return False
    topic = settings.topics().labels
    is_permitted = may_write(settings.connection, topic)
    if not is_permitted:
        structlog.get_logger(__name__).warning(
            "labels are not forwarded",
            reason=f"this joiner may not write {topic}: permit it, or let all clients that send"
            " labels use the partitioner murmur2",
        )
    return is_permitted


def ignore_figures(_joiner: Joiner) -> None:
    """Do nothing: the default observer of a joiner's figures."""


class JoinerHealth:
    """The health report of a joiner, which is removed when it ends normally or fails.

    `observe` is called with the joiner at each report.
    """

    def __init__(
        self,
        name: str,
        files: HealthFiles,
        observe: Callable[[Joiner], None] = ignore_figures,
    ) -> None:
        self._name = name
        self._files = files
        self._observe = observe
        self._activity = ActivityLog("labels joined")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.remove(self._name)

    def report(self, joiner: Joiner, lag: int | None, cause: str) -> None:
        """Write the report: unhealthy while the lag is unknown, that is None, by `cause`.

        Labels that wait too long for a prediction are its reason, because their sender must change
        something; the joiner is healthy nevertheless.
        """
        state = cause or str(joiner.waiting_labels or ("records wait" if lag else "nothing waits"))
        self._activity.update(lambda: count_labels(joiner))
        self._observe(joiner)
        # A report that cannot be written must not end the joiner.
        with suppress(OSError):
            self._files.write(HealthReport(self._name, lag is not None, state, lag, time()))


def count_labels(joiner: Joiner) -> dict[str, int]:
    """Return the rows joined so far in a joiner's partitions, and those that are still open."""
    partitions = tuple(joiner.partitions.values())
    return {
        "partitions": len(partitions),
        "joined": sum(one.state.counts[JoinCounter.JOINED] for one in partitions),
        "open": sum(one.open_count for one in partitions),
        "state_bytes": joiner.size_on_disk() if partitions else 0,
    }
