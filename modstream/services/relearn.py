"""Relearning: rebuilds a learner whose newest version cannot be read any more.

Pickles of one River release cannot be read by another. The nearest older version that can be read
then learns again the feedback between the two versions. Nothing is published before the learner has
reached the offsets of the unreadable version.
"""

import structlog

from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.client.record_lookup import RecordLookup
from modstream.broker.wire.records import TopicPartition
from modstream.errors import NoReadableVersion
from modstream.models.errors import ArtifactError
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.registry.errors import ArtifactDeleted, ModelNotFound
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loader import load_version
from modstream.processors.learn.atomic_update import AnyLearningRuntime
from modstream.processors.learn.counts import LearnerCounts
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.released import ReleaseProof
from modstream.registry.trust import load_trust
from modstream.settings import Settings

BATCH_RECORDS = 1000


def make_learner(
    settings: Settings,
    card: ModelCard,
    runtime: AnyLearningRuntime,
    versions: VersionClasses | None = None,
) -> Learner:
    """Return a learner that continues from a version; `versions` are the classes of all models."""
    counts = LearnerCounts.of_version(card.metrics)
    return Learner(
        card,
        runtime,
        settings.topics(),
        settings.learn,
        dict(card.offsets),
        counts,
        versions=versions,
        was_released=ReleaseProof(
            RecordLookup(settings.connection, settings.topics().quarantine).find,
            settings.learn.dedup_ids,
        ),
    )


def rebuild(
    settings: Settings, registry: Registry, card: ModelCard, versions: VersionClasses | None = None
) -> Learner:
    """Return a learner that has learned what an unreadable version had learned.

    Feedback that the topic has deleted meanwhile is missing.

    Raises:
        NoReadableVersion: if no older version can be read either.
    """
    log = structlog.get_logger(__name__)
    learner = make_learner(settings, *nearest_readable(settings, registry, card), versions)
    log.warning("relearning", model=card.name, unreadable=card.version, base=learner.card.version)
    relearn(settings, learner, card)
    had = int(card.metrics.get("learned", 0))
    log.info("relearned", learned=learner.counts.learned, had=had)
    return learner


def nearest_readable(
    settings: Settings, registry: Registry, card: ModelCard
) -> tuple[ModelCard, AnyLearningRuntime]:
    """Return the nearest ancestor of a version that can be read and can learn.

    Raises:
        NoReadableVersion: if there is no such ancestor.
    """
    trust, rows = load_trust(settings), settings.model_cache.warm_up_rows
    ancestor = card
    while ancestor.parent is not None:
        try:
            ancestor = registry.card(card.name, ancestor.parent)
            runtime = load_version(registry, trust, ancestor, rows)
        except ModelNotFound:
            break
        except (ArtifactError, ArtifactDeleted):
            continue
        if isinstance(runtime, AnyLearningRuntime):
            return ancestor, runtime
    raise NoReadableVersion(card.name, card.version)


def relearn(settings: Settings, learner: Learner, card: ModelCard) -> None:
    """Learn the feedback between a learner's offsets and those of a version.

    Rows that the guard rejects are not quarantined again.
    """
    ranges = {}
    for name, stop in card.offsets.items():
        start = learner.offsets.get(name, 0)
        if start < stop:
            ranges[TopicPartition.parse(name)] = (start, stop)
    batch = []
    for record in read_offset_ranges(settings.connection, settings.topics().feedback, ranges):
        batch.append(record)
        if len(batch) == BATCH_RECORDS:
            learner.learn_batch(batch)
            batch = []
    learner.learn_batch(batch)
    learner.skip_to(card.offsets)
