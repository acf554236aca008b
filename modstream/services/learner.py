"""The learner service: reads feedback, learns, and publishes versions with the offsets read.

One process trains all candidates of a model and applies the decisions of their gate.
"""

from functools import partial
from threading import Event
from time import perf_counter

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.loop.crash_guard import TRIAL_SECONDS, CrashGuard
from modstream.broker.loop.crash_journal import JOURNAL_FOLDER, CrashJournal
from modstream.broker.wire.records import Record, TopicPartition
from modstream.lineage.emitter import open_lineage
from modstream.models.registry.registry import Registry
from modstream.process.activity import ActivityLog
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles
from modstream.process.native_faults import NativeFaultHandler
from modstream.process.watchdog import StallWatchdog
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.publish_throttle import PublishSettings, PublishThrottle
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.registry.access import open_registry, wait_for_model
from modstream.services.alias_follower import AliasFollower
from modstream.services.candidates import load_model, resume, updated_batch_models
from modstream.services.mean_publisher import MeanPublisher
from modstream.services.reader_probe import ReaderProbe
from modstream.services.release_manager import ReleaseManager
from modstream.services.version_publisher import VersionPublisher
from modstream.settings import Settings
from modstream.telemetry.learner import LearnerMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.traces.ports import NO_TRACING, Learn, ProcessTracing

POLL_TIMEOUT_SECONDS = 0.05
METRICS_THROTTLE = PublishSettings(min_interval_seconds=1.0, max_time_share=0.02)


def run_learner(
    settings: Settings,
    model: str,
    stop: Event,
    metrics: ProcessMetrics = NO_METRICS,
    tracing: ProcessTracing = NO_TRACING,
) -> None:
    """Learn until `stop` is set; what was learned until then is published before this returns.

    Raises:
        RuntimeCannotLearn: if no candidate of the model can learn.
        AnotherLearner: if a second learner of the model has read more feedback.
        NoReadableVersion: if neither a learner's newest version nor any before it can be read.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with (
        open_registry(settings) as registry,
        Publisher(settings.connection, f"{topics.group('learner')}-{model}") as publisher,
        open_lineage(settings) as lineage,
    ):
        if wait_for_model(registry, stop, model, lambda: registry.newest(model)) is None:
            return
        candidates = resume(settings, registry, model)
        measured = metrics.add(LearnerMetrics())
        measured.watch(candidates.learners, candidates.means)
        publishers = {
            name: VersionPublisher(
                registry, publisher, learner, topics, name, measured.update, lineage
            )
            for name, learner in candidates.learners.items()
        }
        means = mean_publishers(settings, registry, candidates, next(iter(publishers.values())))
        find_batch_updates = partial(updated_batch_models, settings, registry, model)
        start, group = start_offsets(candidates), topics.group("learner")
        journal = CrashJournal(settings.home / JOURNAL_FOLDER / f"{group}-{model}")
        timeout = settings.stall_timeout
        guard = CrashGuard(
            journal, topics.feedback, owned_for_life, min(TRIAL_SECONDS, timeout / 2)
        )
        follower = AliasFollower(registry, candidates, partial(load_model, settings, registry))
        releases = ReleaseManager(
            registry, candidates, publishers, follower, find_batch_updates, means, guard
        )
        releases.announce_resumed()
        with journal, Reader(settings.connection, [topics.feedback], start, group=group) as reader:
            log.info("learner ready", model=model, candidates=list(candidates.learners))
            probe = ReaderProbe(
                settings.connection,
                reader,
                lambda: candidates.lead.counts.seen,
                lambda: next_positions(candidates.lead),
            )
            files = HealthFiles(settings.home, metrics.on_health)
            watchdog = StallWatchdog(
                *(f"{group}-{model}", metrics.probe(probe), timeout, files),
                journal=journal,
                problems=lambda: follower.problem,
            )
            with relaxed_gc(), watchdog, NativeFaultHandler(timeout, journal.report):
                is_new = partial(is_unread, candidates.lead)
                learn_batch = tracing.learner(releases.learn, is_new, group, model)
                throttle = PublishThrottle(settings.publish)
                learn(reader, releases, throttle, stop, learn_batch)
        log.info("learner stopped", model=model, learned=candidates.lead.counts.learned)


def mean_publishers(
    settings: Settings, registry: Registry, candidates: ChampionChallenger, lead: VersionPublisher
) -> dict[str, MeanPublisher]:
    """Return the publishers of the candidates that are means, by name."""
    share, rows = settings.publish.max_time_share, settings.model_cache.warm_up_rows
    return {
        name: MeanPublisher(
            registry,
            candidates,
            name,
            lead,
            PublishThrottle(PublishSettings(settings.means[name].min_interval_seconds, share)),
            rows,
        )
        for name in candidates.means
    }


def owned_for_life(_partition: TopicPartition) -> int:
    """Return how often a partition was assigned: a learner reads its partitions until it ends."""
    return 0


def is_unread(learner: Learner, record: Record) -> bool:
    """Return whether a learner has not read a record; it reads some again to know their ids."""
    return record.offset >= learner.offsets.get(str(record.topic_partition), 0)


def learn(
    reader: Reader,
    releases: ReleaseManager,
    throttle: PublishThrottle,
    stop: Event,
    learn_batch: Learn | None = None,
) -> None:
    """Poll, learn, and publish when due, until `stop` is set; then publish the rest.

    Metrics are published at most once a second. `learn_batch` is called instead of
    `releases.learn`.
    """
    learn_batch = learn_batch or releases.learn
    metrics_throttle = PublishThrottle(METRICS_THROTTLE)
    activity, lead = ActivityLog("labels learned"), releases.candidates.lead
    while not stop.is_set():
        learn_batch(reader.poll(POLL_TIMEOUT_SECONDS))
        if releases.is_behind() and throttle.is_due():
            start = perf_counter()
            if releases.publish():
                reader.commit(next_positions(releases.candidates.lead))
            throttle.record_cost(perf_counter() - start)
        releases.publish_means()
        if metrics_throttle.is_due():
            start = perf_counter()
            releases.publish_metrics()
            metrics_throttle.record_cost(perf_counter() - start)
        activity.update(lambda: {**lead.counts.totals(), "version": lead.card.version})
    releases.publish_all()
    releases.publish_metrics()


def start_offsets(candidates: ChampionChallenger) -> dict[TopicPartition, int]:
    """Return where to start reading, so that no learner misses a row or forgets recent ids."""
    starts = [backfill_offsets(learner) for learner in candidates.learners.values()]
    partitions = set(starts[0]).intersection(*starts[1:])
    return {partition: min(offsets[partition] for offsets in starts) for partition in partitions}


def next_positions(learner: Learner) -> dict[TopicPartition, int]:
    """Return the next offset that a learner reads in each partition."""
    offsets = dict(learner.offsets)  # A copy: the watchdog's thread reads them, too.
    return {TopicPartition.parse(name): offset for name, offset in offsets.items()}


def backfill_offsets(learner: Learner) -> dict[TopicPartition, int]:
    """Return where to start reading, so that the learner's recent ids are known after a restart."""
    back = learner.settings.dedup_ids // max(1, len(learner.offsets))
    positions = next_positions(learner)
    return {partition: max(0, offset - back) for partition, offset in positions.items()}
