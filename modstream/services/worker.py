"""The worker: answers a stream's requests with the models of its route."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, ExactlyOnce
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.client.record_lookup import RecordLookup
from modstream.broker.client.topic_limits import read_record_limits
from modstream.broker.loop.batch_sizing import AdaptiveBatchSize
from modstream.broker.loop.crash_guard import TRIAL_SECONDS, CrashGuard
from modstream.broker.loop.crash_journal import JOURNAL_FOLDER, CrashJournal
from modstream.broker.loop.loop import Loop
from modstream.broker.loop.ports import Delivery, Handler
from modstream.features.follower import FeatureFollower
from modstream.models.serving.model_cache import ModelCache
from modstream.models.trial.process import TrialProcess
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles
from modstream.process.native_faults import NativeFaultHandler
from modstream.process.watchdog import StallWatchdog
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.guarded_handler import GuardedHandler
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.inference_log import InferenceLog
from modstream.processors.predict.model_resolver import FindThresholds, no_thresholds
from modstream.processors.predict.personal_requests import PersonalFeatures
from modstream.processors.predict.redriven import RedriveProof
from modstream.processors.predict.responses import ResponseWriter
from modstream.processors.predict.sealed_letters import SealedLetters
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.stream_features import FindFeatures, no_features
from modstream.processors.predict.version_markers import VersionMarkers
from modstream.registry.access import open_registry, wait_for_model
from modstream.registry.conformal import ThresholdFollower
from modstream.registry.trust import load_trust
from modstream.services.group_probe import GroupProbe
from modstream.services.route_models import describe_problems, is_settled
from modstream.services.worker_hooks import HookList, WorkerHooks, WorkerStats
from modstream.settings import Settings
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.traces.ports import NO_TRACING, ProcessTracing
from modstream.telemetry.worker import PrometheusHooks


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
    settings: Settings,
    models: ModelCache,
    source: GroupConsumer,
    hooks: WorkerHooks,
    thresholds: FindThresholds = no_thresholds,
    features: FindFeatures = no_features,
) -> Handler:
    """Return the handler of requests, composed of its steps."""
    topics, max_bytes = settings.topics(), settings.max_request_bytes
    inference = inference_settings(settings)
    read_back = partial(read_offset_ranges, settings.connection, topics.requests)
    epoch = source.assignment_epoch
    was_redriven = RedriveProof(RecordLookup(settings.connection, topics.dlq).find)
    deduplicator = Deduplicator(settings.dedup_window, read_back, epoch, max_bytes, was_redriven)
    return request_handler(
        topics,
        models,
        inference,
        max_request_bytes=max_bytes,
        deduplicator=deduplicator if settings.dedup_window else None,
        markers=VersionMarkers(topics.version_markers, epoch),
        on_refusal=hooks.on_refusal,
        limits=source.limits,
        log=inference_log(settings, source),
        answer_events=settings.answer_events,
        thresholds=thresholds,
        features=features,
        personal=personal_features(settings),
    )


def personal_features(settings: Settings) -> PersonalFeatures | None:
    """Return what becomes of personal features; None if no feature is personal."""
    protections = settings.personal.protections
    if not protections:
        return None
    return PersonalFeatures(protections, PersonKeys.of_home(settings.home))


def inference_settings(settings: Settings) -> InferenceSettings:
    """Return how the requests of the stream are answered."""
    return InferenceSettings(
        settings.models,
        record_features=settings.record_features,
        challenger_share=settings.challenger_share,
    )


def inference_log(settings: Settings, source: GroupConsumer) -> InferenceLog | None:
    """Return the inference log, if the settings ask for one."""
    if not settings.inference_log.enabled:
        return None
    inference = inference_settings(settings)
    return InferenceLog(settings.topics(), settings.inference_log, inference, source.limits)


def guarded(
    handle: Handler,
    settings: Settings,
    journal: CrashJournal,
    source: GroupConsumer,
    hooks: WorkerHooks,
) -> Handler:
    """Return a handler that sets aside the records on which the given one fails, or dies."""
    topics = settings.topics()
    trial = min(TRIAL_SECONDS, settings.stall_timeout / 2)
    guard = CrashGuard(journal, topics.requests, source.assignment_epoch, trial, rereads=False)
    writer = ResponseWriter(topics, hooks.on_refusal, source.limits)
    log = inference_log(settings, source)
    safe = GuardedHandler(handle, guard, writer, hooks.on_refusal, log)
    personal = personal_features(settings)
    if personal is None:
        return safe
    return SealedLetters(safe, topics.dlq, personal.secrets, source.limits)


@dataclass(frozen=True, slots=True)
class WorkerFactories:
    """Factories of a worker's parts. The fault tests replace them by observed or broken ones."""

    consumer: Callable[[Settings, str], GroupConsumer] = consumer
    delivery: Callable[[Settings, str, GroupConsumer], Delivery] = delivery
    handler: Callable[
        [Settings, ModelCache, GroupConsumer, WorkerHooks, FindThresholds, FindFeatures], Handler
    ] = handler


DEFAULT_FACTORIES = WorkerFactories()
IMPORT_SECONDS = 10.0
"""How long a worker's start waits for the libraries of models that are not on its route: without
them, the first requests to these models would get the error `model_loading`."""


def run_worker(
    settings: Settings,
    stop: Event,
    factories: WorkerFactories = DEFAULT_FACTORIES,
    hooks: Sequence[WorkerHooks] = (),
    metrics: ProcessMetrics = NO_METRICS,
    tracing: ProcessTracing = NO_TRACING,
) -> None:
    """Answer requests until `stop` is set; the batch in hand is finished first.

    Requests wait in their topic until every model of the route has been published. One that cannot
    be loaded does not end the worker: see `is_settled`.

    Raises:
        TopicMissing: the topic of version markers, or of the inference log if there is one, does
            not exist; `modstream topics create` creates it.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    stats, trust = WorkerStats(), load_trust(settings)
    measured = metrics.add(PrometheusHooks())
    hook = HookList([stats, *((measured,) if metrics.is_on else ()), *hooks])
    with (
        open_registry(settings) as registry,
        TrialProcess(settings.model_cache.trial_limits) as trials,
        ModelCache(
            *(registry, trust, settings.model_cache),
            on_swap=hook.on_swap,
            trials=trials,
            check=settings.personal.require,
        ) as models,
        ThresholdFollower(settings) as follower,
        FeatureFollower(settings) as features,
    ):
        measured.watch(models)
        measured.watch_features(features)
        models.require(settings.models)
        models.import_ahead()
        for model in settings.models:
            wait_for_model(registry, stop, model, partial(is_settled, models, model))
        if stop.is_set():
            return
        models.wait_for_imports(IMPORT_SECONDS)
        if not features.wait_ready():
            log.warning("the stream's features are not loaded yet: they have no values")
        admin = Admin(settings.connection)
        logged = [topics.inferences] if settings.inference_log.enabled else []
        admin.wait_ready([topics.version_markers, *logged])
        instance = settings.instance_name
        client_id = f"{topics.group('worker')}-{instance}"
        source = factories.consumer(settings, client_id)
        written = [topics.predictions, topics.dlq, topics.version_markers, *logged]
        source.limits.update(read_record_limits(admin, written))
        deliver = factories.delivery(settings, client_id, source)
        batch_size = AdaptiveBatchSize(settings.batch.max_records, settings.batch.max_seconds)
        journal = CrashJournal(settings.home / JOURNAL_FOLDER / topics.group("worker"))
        followed = follower.thresholds, features.features
        own_handler = factories.handler(settings, models, source, hook, *followed)
        handle = guarded(own_handler, settings, journal, source, hook)
        handle = measured.handler(handle, topics.dlq) if metrics.is_on else handle
        handle, deliver = tracing.worker(handle, deliver, topics.group("worker"))
        group = topics.group("worker")
        asked = GroupProbe(
            settings.connection, group, [topics.requests], source, lambda: stats.batches
        )
        probe = metrics.probe(asked)
        watchdog = StallWatchdog(
            *(
                client_id,
                probe,
                settings.stall_timeout,
                HealthFiles(settings.home, metrics.on_health),
            ),
            problems=partial(describe_problems, models),
            journal=journal,
        )
        log.info(
            "worker ready",
            stream=topics.stream,
            models=settings.models,
            instance=instance,
            signatures="not checked" if trust.is_unrestricted else "checked",
        )
        try:
            timeout = settings.stall_timeout
            with relaxed_gc(), journal, watchdog, NativeFaultHandler(timeout, journal.report):
                Loop(source, handle, deliver, hook, batch_size=batch_size).run(stop)
        finally:
            deliver.close()
            source.close()
            log.info("worker stopped", **stats.totals())
