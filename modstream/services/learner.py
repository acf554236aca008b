"""The learner service: reads feedback, learns, and publishes versions with the offsets read.

One process trains all candidates of a model and applies the decisions of their gate.
"""

from functools import partial
from threading import Event
from time import perf_counter

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.records import TopicPartition
from modstream.process.gc_tuning import relaxed_gc
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.publish_throttle import PublishSettings, PublishThrottle
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.registry.access import open_registry, wait_for_model
from modstream.services.candidates import resume, updated_batch_models
from modstream.services.release_manager import ReleaseManager
from modstream.services.version_publisher import VersionPublisher
from modstream.settings import Settings

POLL_TIMEOUT_SECONDS = 0.05
METRICS_THROTTLE = PublishSettings(min_interval_seconds=1.0, max_time_share=0.02)


def run_learner(settings: Settings, model: str, stop: Event) -> None:
    """Learn until `stop` is set; what was learned until then is published before this returns.

    Raises:
        RuntimeCannotLearn: if no candidate of the model can learn.
        NoReadableVersion: if neither a learner's newest version nor any before it can be read.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with (
        open_registry(settings) as registry,
        Publisher(settings.connection, f"{topics.group('learner')}-{model}") as publisher,
    ):
        if wait_for_model(registry, stop, model, lambda: registry.newest(model)) is None:
            return
        candidates = resume(settings, registry, model)
        publishers = {
            name: VersionPublisher(registry, publisher, learner, topics, name)
            for name, learner in candidates.learners.items()
        }
        find_batch_updates = partial(updated_batch_models, settings, registry, model)
        releases = ReleaseManager(registry, candidates, publishers, find_batch_updates)
        releases.announce_resumed()
        start, group = start_offsets(candidates), topics.group("learner")
        with Reader(settings.connection, [topics.feedback], start, group=group) as reader:
            log.info("learner ready", model=model, candidates=list(candidates.learners))
            with relaxed_gc():
                learn(reader, releases, PublishThrottle(settings.publish), stop)
        log.info("learner stopped", model=model, learned=candidates.lead.counts.learned)


def learn(reader: Reader, releases: ReleaseManager, throttle: PublishThrottle, stop: Event) -> None:
    """Poll, learn, and publish when due, until `stop` is set; then publish the rest.

    Metrics are published at most once a second.
    """
    metrics_throttle = PublishThrottle(METRICS_THROTTLE)
    while not stop.is_set():
        releases.learn(reader.poll(POLL_TIMEOUT_SECONDS))
        if releases.is_behind() and throttle.is_due():
            start = perf_counter()
            if releases.publish():
                reader.commit(next_positions(releases.candidates.lead))
            throttle.record_cost(perf_counter() - start)
        if metrics_throttle.is_due():
            start = perf_counter()
            releases.publish_metrics()
            metrics_throttle.record_cost(perf_counter() - start)
    releases.publish_all()
    releases.publish_metrics()


def start_offsets(candidates: ChampionChallenger) -> dict[TopicPartition, int]:
    """Return where to start reading, so that no learner misses a row or forgets recent ids."""
    starts = [backfill_offsets(learner) for learner in candidates.learners.values()]
    partitions = set(starts[0]).intersection(*starts[1:])
    return {partition: min(offsets[partition] for offsets in starts) for partition in partitions}


def next_positions(learner: Learner) -> dict[TopicPartition, int]:
    """Return the next offset that a learner reads in each partition."""
    return {TopicPartition.parse(name): offset for name, offset in learner.offsets.items()}


def backfill_offsets(learner: Learner) -> dict[TopicPartition, int]:
    """Return where to start reading, so that the learner's recent ids are known after a restart."""
    back = learner.settings.dedup_ids // max(1, len(learner.offsets))
    positions = next_positions(learner)
    return {partition: max(0, offset - back) for partition, offset in positions.items()}
