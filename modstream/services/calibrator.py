"""The calibrator service: learns the thresholds of conformal sets from feedback, for the workers.

State and offsets are written together, at most once per `conformal.refresh_seconds`. After a crash,
the service continues from them, so that no label is skipped or counted twice. Answers do not wait
for it: workers go on with the thresholds that they have.
"""

from threading import Event
from time import perf_counter

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import encode
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.errors import InvalidSettings
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.registry.calibration_table import Calibration, CalibrationTable
from modstream.models.registry.errors import RegistryUnavailable
from modstream.process.activity import ActivityLog
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles
from modstream.process.watchdog import StallWatchdog
from modstream.processors.conformal.model_state import encode_thresholds
from modstream.processors.conformal.tracker import ConformalTracker
from modstream.processors.learn.publish_throttle import PublishSettings, PublishThrottle
from modstream.registry.access import open_registry
from modstream.registry.conformal import open_calibrations, patient_card_finder
from modstream.services.reader_probe import ReaderProbe
from modstream.settings import Settings
from modstream.telemetry.calibrator import CalibratorMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics

POLL_SECONDS = 0.1
RETRY_SECONDS = 0.5
MAX_WRITE_SHARE = 0.02
"""The share of the time that writes may take."""


def run_calibrator(settings: Settings, stop: Event, metrics: ProcessMetrics = NO_METRICS) -> None:
    """Learn thresholds until `stop` is set; what was read until then is written before it returns.

    While Redis is not available, the service waits for it.

    Raises:
        InvalidSettings: no model is to have sets.
        CalibrationMoved: another calibrator writes the state of this stream.
        UnreadableConformalState: the stored state is damaged.
    """
    if not settings.conformal.coverage:
        raise InvalidSettings(
            ['conformal.coverage: name the models whose answers have sets, as {"online": 0.9}']
        )
    topics, log = settings.topics(), structlog.get_logger(__name__)
    group = topics.group("calibrator")
    with (
        open_registry(settings) as registry,
        open_calibrations(settings) as table,
        Publisher(settings.connection, group, keeps_failures=False) as publisher,
    ):
        writer = CalibrationWriter(table, stop)
        if not writer.restore():
            return
        versions = VersionClasses(patient_card_finder(registry, stop, writer.note_problem))
        tracker = ConformalTracker(settings.conformal, versions, seen=settings.learn.dedup_ids)
        tracker.restore(writer.stored.offsets, writer.stored.states)
        start = backfill_offsets(tracker)
        with Reader(settings.connection, [topics.feedback], start, group=group) as reader:
            log.info("calibrator ready", stream=topics.stream, models=list(tracker.states))
            metrics.add(CalibratorMetrics(tracker, writer))
            probe = ReaderProbe(
                settings.connection,
                reader,
                lambda: tracker.records,
                lambda: None if writer.is_waiting else positions(tracker),
            )
            watchdog = StallWatchdog(
                *(group, metrics.probe(probe), settings.stall_timeout),
                HealthFiles(settings.home, metrics.on_health),
                problems=lambda: writer.problem,
            )
            with relaxed_gc(), watchdog:
                calibration = Calibrator(reader, tracker, writer, publisher, topics.metrics)
                calibration.run(stop, settings.conformal.refresh_seconds)
        log.info("calibrator stopped", records=tracker.records)


class Calibrator:
    """Reads feedback, and writes the state and its metrics when they are due."""

    def __init__(
        self,
        reader: Reader,
        tracker: ConformalTracker,
        writer: "CalibrationWriter",
        publisher: Publisher,
        topic: str,
    ) -> None:
        self._reader = reader
        self._tracker = tracker
        self._writer = writer
        self._publisher = publisher
        self._topic = topic

    def run(self, stop: Event, refresh_seconds: float) -> None:
        """Work until `stop` is set; then write the rest."""
        throttle = PublishThrottle(PublishSettings(refresh_seconds, MAX_WRITE_SHARE))
        activity, tracker = ActivityLog("labels calibrated"), self._tracker
        while not stop.is_set():
            try:
                tracker.add(self._reader.poll(POLL_SECONDS))
            except RegistryUnavailable:
                # `stop` was set while a card was awaited: the successor reads these records again.
                return
            if throttle.is_due() and self._writer.is_behind(tracker):
                start = perf_counter()
                self._publish()
                throttle.record_cost(perf_counter() - start)
            activity.update(lambda: {"records": tracker.records, "unscored": tracker.unscored})
        if self._writer.is_behind(tracker):
            self._publish()

    def _publish(self) -> None:
        """Write the state; if that was possible, also send its metrics and commit its offsets."""
        if not self._writer.write(self._tracker):
            return
        for one in self._tracker.metrics():
            key = one.kind.encode()
            self._publisher.send(ProducerRecord(self._topic, key, encode(one)))
        self._reader.commit(positions(self._tracker))


class CalibrationWriter:
    """Reads and writes the state of a stream, and waits while Redis is not available."""

    def __init__(self, table: CalibrationTable, stop: Event) -> None:
        self._table = table
        self._stop = stop
        self._log = structlog.get_logger(__name__)
        self.stored = Calibration()
        """The state that was read or written last."""
        self.problem = ""
        """Why Redis is not available now, or an empty text."""

    def restore(self) -> bool:
        """Read the stored state; return false if `stop` was set before it was known."""
        while not self._stop.is_set():
            try:
                self.stored = self._table.read()
            except RegistryUnavailable as error:
                self.note_problem(str(error))
                self._stop.wait(RETRY_SECONDS)
            else:
                self.note_problem("")
                return True
        return False

    def is_behind(self, tracker: ConformalTracker) -> bool:
        """Return whether feedback was read since the last write."""
        return tracker.offsets != self.stored.offsets

    def write(self, tracker: ConformalTracker) -> bool:
        """Write the state; return false if `stop` was set before Redis was available."""
        new = Calibration(
            self.stored.revision + 1,
            dict(tracker.offsets),
            tracker.encode_states(),
            encode_thresholds(tracker.thresholds()),
        )
        while True:
            try:
                self._table.write(new)
            except RegistryUnavailable as error:
                self.note_problem(str(error))
                if self._stop.wait(RETRY_SECONDS):
                    return False
            else:
                self.note_problem("")
                self.stored = new
                return True

    def note_problem(self, cause: str) -> None:
        """Note why Redis is not available; an empty text if it is."""
        if cause and not self.problem:
            self._log.warning("waiting for Redis", cause=cause)
        self.problem = cause

    @property
    def is_waiting(self) -> bool:
        """Whether Redis is not available."""
        return bool(self.problem)


def positions(tracker: ConformalTracker) -> dict[TopicPartition, int]:
    """Return the next offset that a tracker reads in each partition."""
    offsets = dict(tracker.offsets)  # A copy: the watchdog's thread reads them, too.
    return {TopicPartition.parse(name): offset for name, offset in offsets.items()}


def backfill_offsets(tracker: ConformalTracker) -> dict[TopicPartition, int]:
    """Return where to start reading, so that rows counted before a restart are recognised."""
    back = tracker.seen // max(1, len(tracker.offsets))
    return {one: max(0, offset - back) for one, offset in positions(tracker).items()}
