"""A learner whose newest version cannot be read any more: what it had learned, learned again.

Pickles of one River release are not read by another. Then the nearest older version that can be
read learns the feedback again that lies between the two, and nothing is published before it is as
far as the unreadable one was.
"""

import structlog

from modstream.broker.client.reader import read_spans
from modstream.broker.wire.records import TopicPartition
from modstream.errors import NothingReadable
from modstream.models.errors import ArtifactError, ArtifactGone, ModelNotFound
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import LearningRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loader import fetch
from modstream.processors.learn.learner import Counts, Learner
from modstream.registry.access import trust
from modstream.settings import Settings

BATCH = 1000


def rebuild(settings: Settings, registry: Registry, card: ModelCard) -> Learner:
    """A learner that has learned what an unreadable version had, as far as the topic keeps it.

    Raises:
        NothingReadable: no older version can be read either.
    """
    log = structlog.get_logger(__name__)
    base, runtime = readable(settings, registry, card)
    counts = Counts(learned=int(base.metrics.get("learned", 0)))
    learner = Learner(base, runtime, settings.topics(), settings.learn, dict(base.offsets), counts)
    log.warning("relearning", model=card.name, unreadable=card.version, base=base.version)
    relearn(settings, learner, card)
    log.info("relearned", learned=counts.learned, had=int(card.metrics.get("learned", 0)))
    return learner


def readable(
    settings: Settings, registry: Registry, card: ModelCard
) -> tuple[ModelCard, LearningRuntime]:
    """The nearest ancestor of a version that can be read and learns.

    Raises:
        NothingReadable: there is none.
    """
    ancestor = card
    while ancestor.parent is not None:
        try:
            ancestor = registry.card(card.name, ancestor.parent)
            runtime = fetch(registry, trust(settings), ancestor, settings.shelf.warm_up_rows)
        except ModelNotFound:
            break
        except (ArtifactError, ArtifactGone):
            continue
        if isinstance(runtime, LearningRuntime):
            return ancestor, runtime
    raise NothingReadable(card.name, card.version)


def relearn(settings: Settings, learner: Learner, card: ModelCard) -> None:
    """Learn the feedback between a learner and a version; what is refused was refused before."""
    spans = {}
    for name, stop in card.offsets.items():
        start = learner.offsets.get(name, 0)
        if start < stop:
            spans[TopicPartition.parse(name)] = (start, stop)
    batch = []
    for record in read_spans(settings.connection, settings.topics().feedback, spans):
        batch.append(record)
        if len(batch) == BATCH:
            learner.absorb(batch)
            batch = []
    learner.absorb(batch)
    learner.offsets |= card.offsets
