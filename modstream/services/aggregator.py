"""The aggregator service: computes a stream's features from its requests, labels and other topics.

Partial aggregates go to the topic of features, in one transaction with the offsets of the records
that they count. So every event counts once, whatever ends the process.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import ExactlyOnce
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.topic_limits import read_record_limits
from modstream.broker.loop.loop import Loop
from modstream.broker.loop.ports import BatchStats
from modstream.broker.wire.records import Record, TopicPartition
from modstream.features.counts import open_counts
from modstream.features.definitions import DefinitionReader, Definitions, open_definitions
from modstream.models.registry.feature_definitions import FeatureDefinitionTable
from modstream.process.activity import ActivityLog
from modstream.process.background import BackgroundThread
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles
from modstream.process.watchdog import StallWatchdog
from modstream.processors.aggregate.counts import Counts
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.handler import AggregateHandler, Bounds
from modstream.processors.aggregate.updates import UpdateCodec
from modstream.services.group_probe import GroupProbe
from modstream.settings import Settings
from modstream.telemetry.aggregator import AggregatorMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics

MS_PER_MINUTE = 60_000


def run_aggregator(settings: Settings, stop: Event, metrics: ProcessMetrics = NO_METRICS) -> None:
    """Aggregate events until `stop` is set; the batch in hand is finished first.

    Without definitions, the service waits for them. With new ones, it goes on with those.

    Raises:
        TopicMissing: the topic of features, or one that the definitions name, does not exist.
    """
    log, series = structlog.get_logger(__name__), AggregatorMetrics()
    metrics.add(series)
    with open_definitions(settings) as table:
        follower = DefinitionFollower(settings, table, stop)
        while (found := follower.wait()) is not None:
            with follower.until_changed(found) as changed:
                run_revision(settings, found, changed, metrics, series)
    log.info("aggregator stopped")


def run_revision(
    settings: Settings,
    found: Definitions,
    stop: Event,
    metrics: ProcessMetrics,
    series: AggregatorMetrics,
) -> None:
    """Aggregate events by one revision of the definitions until `stop` is set.

    Raises:
        StateUnusable: the state on disk cannot be read or written.
        TooManyPartials: the features need more partial aggregates than are allowed.
    """
    topics = settings.topics()
    Admin(settings.connection).wait_ready(
        [topics.features, *EventDecoder(topics, found.features).topics]
    )
    codec = UpdateCodec(topics.features, found.features.aggregations)
    with open_counts(settings, found.features, codec, stop) as counts:
        aggregate(settings, found, counts, stop, metrics, series)


def aggregate(
    settings: Settings,
    found: Definitions,
    counts: Counts,
    stop: Event,
    metrics: ProcessMetrics,
    series: AggregatorMetrics,
) -> None:
    """Count events until `stop` is set."""
    topics, connection = settings.topics(), settings.connection
    group = topics.group("aggregator")
    decoder = EventDecoder(topics, found.features)
    admin = Admin(connection)
    client_id = f"{group}-{settings.instance_name}"
    source = GroupConsumer(connection, group, decoder.topics, settings.batch, client_id)
    source.limits.update(read_record_limits(admin, [topics.features]))
    lateness_ms = round(settings.stream_features.lateness_minutes * MS_PER_MINUTE)
    handler = AggregateHandler(
        found.features,
        decoder,
        UpdateCodec(topics.features, found.features.aggregations),
        counts,
        source.assignment_epoch,
        Bounds(lateness_ms, settings.stream_features.partials_limit),
    )
    series.watch(handler, decoder)
    stats = AggregatorStats()
    deliver = ExactlyOnce(connection, client_id, source)
    probe = GroupProbe(connection, group, decoder.topics, source, lambda: stats.batches)
    watchdog = StallWatchdog(
        *(group, metrics.probe(probe), settings.stall_timeout),
        HealthFiles(settings.home, metrics.on_health),
    )
    structlog.get_logger(__name__).info(
        "aggregator ready",
        stream=topics.stream,
        features=len(found.features.names),
        revision=found.revision,
        topics=list(decoder.topics),
    )
    try:
        publishing = Publisher(connection, f"{client_id}.starts")
        with relaxed_gc(), watchdog, publishing as publisher:
            announcing = AnnouncingSource(source, handler, publisher, admin, group)
            Loop(announcing, handler, deliver, stats).run(stop)
    finally:
        deliver.close()
        source.close()


class AnnouncingSource:
    """A group member that says at each assignment from where on new aggregations count.

    So it is known what a backfill has to add, also if no record arrives for a long time.
    """

    def __init__(
        self,
        source: GroupConsumer,
        handler: AggregateHandler,
        publisher: Publisher,
        admin: Admin,
        group: str,
    ) -> None:
        self._source, self._handler, self._publisher = source, handler, publisher
        self._admin, self._group = admin, group
        self._announced: dict[TopicPartition, int] = {}
        self.keep_alive = source.keep_alive
        self.before_revoke = source.before_revoke
        self.owns = source.owns
        self.rewind = source.rewind

    def poll(self, max_records: int) -> list[Record]:
        """Return the next batch; what was assigned since the last one is announced before."""
        batch = self._source.poll(max_records)
        epochs = {one: self._source.assignment_epoch(one) for one in self._source.owned}
        new = [one for one, epoch in epochs.items() if self._announced.get(one) != epoch]
        self._handler.end(self._announced.keys() - epochs.keys())
        if new:
            self._announce(new)
        self._announced = epochs
        return batch

    def _announce(self, partitions: Sequence[TopicPartition]) -> None:
        topics = sorted({one.topic for one in partitions})
        committed = self._admin.committed_offsets(self._group, topics)
        firsts = self._admin.first_offsets(topics)
        positions = {one: committed.get(one, firsts[one]) for one in partitions}
        for record in self._handler.begin(positions):
            self._publisher.send(record)
        self._publisher.flush()


class AggregatorStats:
    """Counts the delivered batches, for the log and the watchdog."""

    def __init__(self) -> None:
        self.batches = 0
        self._records = 0
        self._activity = ActivityLog("records aggregated")

    def on_batch(self, batch: BatchStats) -> None:
        """Count nothing: a batch counts once it is delivered."""

    def on_delivery(self, batch: BatchStats, _seconds: float) -> None:
        """Count a delivered batch."""
        self.batches += 1
        self._records += batch.records
        self._activity.update(lambda: {"records": self._records})


class DefinitionFollower:
    """Waits for definitions, and notices new ones."""

    def __init__(self, settings: Settings, table: FeatureDefinitionTable, stop: Event) -> None:
        self._stream = settings.stream
        self._seconds = settings.stream_features.refresh_seconds
        self._definitions, self._stop = DefinitionReader(table, settings.stream), stop

    def wait(self) -> Definitions | None:
        """Return the definitions as soon as there are any; None if `stop` is set."""
        is_announced = False
        while not self._stop.is_set():
            found = self._definitions.read()
            if found is not None:
                return found
            if not is_announced and not self._definitions.problem:
                structlog.get_logger(__name__).info(
                    "waiting for definitions of features", stream=self._stream
                )
                is_announced = True
            self._stop.wait(self._seconds)
        return None

    @contextmanager
    def until_changed(self, known: Definitions) -> Iterator[Event]:
        """Yield an event that is set when there are other definitions, or `stop` is set."""
        changed = Event()

        def watch(ended: Event) -> None:
            while not ended.is_set() and not self._stop.wait(self._seconds):
                if self._definitions.has_changed(known):
                    break
            changed.set()

        with BackgroundThread("feature-definitions", watch):
            yield changed
