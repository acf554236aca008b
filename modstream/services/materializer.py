"""The materializer service: keeps the newest prediction of each key in a store.

Predictions and the offsets up to which they were read are written in one transaction of the store.
After a crash, the service continues from the store's offsets, so that no prediction is lost, and
none replaces a newer one.
"""

from collections import Counter
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_offset_ranges
from modstream.broker.wire.records import OffsetRanges, TopicPartition
from modstream.models.prediction_store.errors import StoreUnavailable
from modstream.models.prediction_store.store import PredictionStore
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.process.activity import ActivityLog
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles
from modstream.process.watchdog import StallWatchdog
from modstream.processors.precompute.newest import NewestPredictions
from modstream.settings import Settings
from modstream.telemetry.materializer import MaterializerMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics

POLL_SECONDS = 0.1
FIRST_RETRY_SECONDS = 0.2
MAX_RETRY_SECONDS = 5.0
"""Time before a store that is not available is tried again; doubled each time."""


def run_materializer(settings: Settings, stop: Event, metrics: ProcessMetrics = NO_METRICS) -> None:
    """Write predictions to the store until `stop` is set; the batch in hand is finished first.

    While the store is not available, the service waits for it.

    Raises:
        StoreMoved: another materializer writes predictions of this stream to the store.
        TopicMissing: the stream's topics do not exist.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    group = topics.group("materializer")
    with open_prediction_store(settings) as store:
        writer = StoreWriter(store, stop)
        if (known := writer.offsets(topics.predictions)) is None:
            return
        start = {TopicPartition.parse(name): offset for name, offset in known.items()}
        with Reader(settings.connection, [topics.predictions], start) as reader:
            log.info("materializer ready", stream=topics.stream)
            materializer = Materializer(reader, writer, known)
            metrics.add(MaterializerMetrics(materializer))
            probe = metrics.probe(MaterializerProbe(settings.connection, materializer))
            files = HealthFiles(settings.home, metrics.on_health)
            watchdog = StallWatchdog(
                *(group, probe, settings.stall_timeout, files),
                problems=lambda: writer.problem,
            )
            with relaxed_gc(), watchdog:
                materializer.run(stop, settings.prediction_store.max_batch_records)
            log.info("materializer stopped", written=materializer.written)


class StoreWriter:
    """Writes to a store, and waits while it is not available."""

    def __init__(self, store: PredictionStore, stop: Event) -> None:
        self._store = store
        self._stop = stop
        self._log = structlog.get_logger(__name__)
        self.problem = ""
        """Why the store is not available now, or an empty text."""

    def offsets(self, topic: str) -> dict[str, int] | None:
        """Return the store's offsets of a topic; None if `stop` was set before they were known."""
        pause = FIRST_RETRY_SECONDS
        while not self._stop.is_set():
            try:
                found = self._store.offsets(topic)
            except StoreUnavailable as error:
                pause = self._wait(pause, error)
            else:
                self._note_available()
                return found
        return None

    def write(self, topic: str, before: dict[str, int], batch: NewestPredictions) -> bool:
        """Write a batch; return false if `stop` was set before it was written.

        If it is unknown whether a transaction was committed, the store's offsets say it.
        """
        pause, is_unknown = FIRST_RETRY_SECONDS, False
        expected = {name: before.get(name, 0) for name in batch.offsets}
        while True:
            try:
                if is_unknown:
                    found = self._store.offsets(topic)
                    if all(found.get(name, 0) == at for name, at in batch.offsets.items()):
                        break
                self._store.write(list(batch.predictions.values()), expected, batch.offsets)
                break
            except StoreUnavailable as error:
                is_unknown = True
                pause = self._wait(pause, error)
                if self._stop.is_set():
                    return False
        self._note_available()
        return True

    def _wait(self, pause: float, error: StoreUnavailable) -> float:
        """Wait before the next attempt; return how long to wait after that."""
        if not self.problem:
            self._log.warning("waiting for the prediction store", cause=str(error))
        self.problem = str(error)
        self._stop.wait(pause)
        return min(MAX_RETRY_SECONDS, 2 * pause)

    def _note_available(self) -> None:
        if self.problem:
            self._log.info("the prediction store is available again")
        self.problem = ""


class Materializer:
    """Reads predictions and writes the newest ones; `offsets` are those that the store has."""

    def __init__(self, reader: Reader, writer: StoreWriter, offsets: dict[str, int]) -> None:
        self.reader = reader
        self.offsets = dict(offsets)
        self.written = 0
        """How many predictions were written."""
        self.batches = 0
        """How many batches of records were written."""
        self._writer = writer
        self.skipped: Counter[str] = Counter()
        """How many records were not stored, by reason."""
        self._log = structlog.get_logger(__name__)

    @property
    def is_waiting(self) -> bool:
        """Whether the store is not available."""
        return bool(self._writer.problem)

    def run(self, stop: Event, max_records: int) -> None:
        """Read and write until `stop` is set."""
        activity = ActivityLog("predictions stored")
        topic = self.reader.partitions[0].topic
        while not stop.is_set():
            records = self.reader.poll(POLL_SECONDS, max_records)
            if records:
                batch = NewestPredictions()
                batch.add(records)
                if not self._writer.write(topic, self.offsets, batch):
                    return
                self._note(batch)
            activity.update(lambda: {"stored": self.written, **self.skipped})

    def _note(self, batch: NewestPredictions) -> None:
        self.offsets |= batch.offsets
        self.written += len(batch.predictions)
        self.batches += 1
        for reason in batch.skipped.keys() - self.skipped.keys() - {"error"}:
            self._log.warning("predictions that are not stored", reason=reason)
        self.skipped += batch.skipped


class MaterializerProbe:
    """The predictions that a materializer has not stored, for its watchdog's thread."""

    def __init__(self, connection: Connection, materializer: Materializer) -> None:
        self._connection = connection
        self._materializer = materializer
        self._admin = Admin(connection)

    def deliveries(self) -> int:
        """Return the number of batches that were written."""
        return self._materializer.batches

    def drained_polls(self) -> int:
        """Return how often a poll returned fewer records than it asked for."""
        return self._materializer.reader.drained_polls

    def pending(self) -> OffsetRanges:
        """Return the offsets that are not stored; transaction markers are among them.

        None count while the store is not available: a restart would not help.
        """
        if self._materializer.is_waiting:
            return {}
        done, partitions = dict(self._materializer.offsets), self._materializer.reader.partitions
        ends = self._admin.end_offsets([partitions[0].topic], committed=True)
        ranges = {one: (done.get(str(one), 0), ends[one]) for one in partitions}
        return {one: offsets for one, offsets in ranges.items() if offsets[1] > offsets[0]}

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether the ranges hold a committed record."""
        topic = self._materializer.reader.partitions[0].topic
        return any(True for _ in read_offset_ranges(self._connection, topic, ranges))
