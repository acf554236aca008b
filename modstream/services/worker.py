"""The worker: answers a stream's requests with the models of its route."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from socket import gethostname
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, ExactlyOnce
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.loop.batch_sizing import AdaptiveBatchSize
from modstream.broker.loop.loop import Loop
from modstream.broker.loop.ports import Delivery, Handler
from modstream.broker.wire.records import OffsetRanges
from modstream.models.serving.model_cache import ModelCache
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles
from modstream.process.watchdog import StallWatchdog
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.version_markers import VersionMarkers
from modstream.registry.access import load_trust, open_registry, wait_for_model
from modstream.services.worker_hooks import HookList, WorkerHooks, WorkerStats
from modstream.settings import Settings


def consumer(settings: Settings, client_id: str) -> GroupConsumer:
    """Return this worker's membership in the worker group of its stream."""
    topics = settings.topics()
    return GroupConsumer(
        settings.connection, topics.group("worker"), [topics.requests], settings.batch, client_id
    )


def delivery(settings: Settings, client_id: str, source: GroupConsumer) -> Delivery:
    """Return the delivery that the settings ask for; the client id is the transactional id."""
    if settings.delivery == "exactly_once":
        return ExactlyOnce(settings.connection, client_id, source)
    return AtLeastOnce(settings.connection, client_id, source)


def handler(
    settings: Settings, models: ModelCache, source: GroupConsumer, hooks: WorkerHooks
) -> Handler:
    """Return the handler of requests, composed of its steps."""
    topics, max_bytes = settings.topics(), settings.max_request_bytes
    inference = InferenceSettings(
        settings.models,
        record_features=settings.record_features,
        challenger_share=settings.challenger_share,
    )
    read_back = partial(read_offset_ranges, settings.connection, topics.requests)
    epoch = source.assignment_epoch
    deduplicator = Deduplicator(settings.dedup_window, read_back, epoch, max_bytes)
    return request_handler(
        topics,
        models,
        inference,
        max_request_bytes=max_bytes,
        deduplicator=deduplicator if settings.dedup_window else None,
        markers=VersionMarkers(topics.version_markers, epoch),
        on_refusal=hooks.on_refusal,
    )


@dataclass(frozen=True, slots=True)
class WorkerFactories:
    """Factories of a worker's parts. The fault tests replace them by observed or broken ones."""

    consumer: Callable[[Settings, str], GroupConsumer] = consumer
    delivery: Callable[[Settings, str, GroupConsumer], Delivery] = delivery
    handler: Callable[[Settings, ModelCache, GroupConsumer, WorkerHooks], Handler] = handler


DEFAULT_FACTORIES = WorkerFactories()


def run_worker(
    settings: Settings,
    stop: Event,
    factories: WorkerFactories = DEFAULT_FACTORIES,
    hooks: Sequence[WorkerHooks] = (),
) -> None:
    """Answer requests until `stop` is set; the batch in hand is finished first.

    Requests wait in their topic until every model of the route has been published.

    Raises:
        TopicMissing: the topic of version markers does not exist; `modstream topics create`
            creates it.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    stats = WorkerStats()
    hook = HookList([stats, *hooks])
    with (
        open_registry(settings) as registry,
        ModelCache(
            registry, load_trust(settings), settings.model_cache, on_swap=hook.on_swap
        ) as models,
    ):
        for model in settings.models:
            wait_for_model(registry, stop, model, partial(models.get, model))
        if stop.is_set():
            return
        Admin(settings.connection).wait_ready([topics.version_markers])
        instance = gethostname() if settings.instance_id == "auto" else settings.instance_id
        client_id = f"{topics.group('worker')}-{instance}"
        source = factories.consumer(settings, client_id)
        deliver = factories.delivery(settings, client_id, source)
        batch_size = AdaptiveBatchSize(settings.batch.max_records, settings.batch.max_seconds)
        handle = factories.handler(settings, models, source, hook)
        probe = WorkerProbe(settings, source, stats)
        watchdog = StallWatchdog(
            client_id, probe, settings.stall_timeout, HealthFiles(settings.home)
        )
        log.info("worker ready", stream=topics.stream, models=settings.models, instance=instance)
        try:
            with relaxed_gc(), watchdog:
                Loop(source, handle, deliver, hook, batch_size=batch_size).run(stop)
        finally:
            deliver.close()
            source.close()
            log.info("worker stopped", **stats.totals())


class WorkerProbe:
    """The pending requests of a worker's own partitions, for its watchdog's thread."""

    def __init__(self, settings: Settings, source: GroupConsumer, stats: WorkerStats) -> None:
        self._connection = settings.connection
        self._group = settings.topics().group("worker")
        self._topic = settings.topics().requests
        self._source = source
        self._stats = stats
        self._admin = Admin(settings.connection)

    def deliveries(self) -> int:
        """Return the number of delivered batches."""
        return self._stats.batches

    def drained_polls(self) -> int:
        """Return how often a poll returned fewer records than it asked for."""
        return self._source.drained_polls

    def pending(self) -> OffsetRanges:
        """Return the offsets that are not committed yet; transaction markers are among them."""
        done = self._admin.committed_offsets(self._group, [self._topic])
        ends = self._admin.end_offsets([self._topic], committed=True)
        ranges = {one: (done.get(one, 0), ends[one]) for one in self._source.owned}
        return {one: offsets for one, offsets in ranges.items() if offsets[1] > offsets[0]}

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether the ranges hold a committed record."""
        return any(True for _ in read_offset_ranges(self._connection, self._topic, ranges))
