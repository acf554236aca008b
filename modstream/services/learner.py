"""A learner: reads feedback, learns, and publishes versions that know how far they have read.

One process teaches all members of a family and carries out what its gate decides.
"""

from functools import partial
from threading import Event
from time import perf_counter

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.records import TopicPartition
from modstream.process.gc_tuning import seldom_collected
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.publish_throttle import Cadence, CadenceSettings
from modstream.processors.promote.champion_challenger import Family
from modstream.registry.access import await_model, open_registry
from modstream.services.members import batch_models, resume
from modstream.services.release_manager import Releases
from modstream.services.version_publisher import Press
from modstream.settings import Settings

IDLE = 0.05
METRICS = CadenceSettings(seconds=1.0, share=0.02)


def run_learner(settings: Settings, model: str, stop: Event) -> None:
    """Learn until `stop`; what has been learned by then is published before this returns.

    Raises:
        NotALearner: no member of the model's family can learn.
        NothingReadable: neither a learner's newest version nor any before it can be read.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with (
        open_registry(settings) as registry,
        Publisher(settings.connection, f"{topics.group('learner')}-{model}") as publisher,
    ):
        if await_model(registry, stop, model, lambda: registry.newest(model)) is None:
            return
        family = resume(settings, registry, model)
        presses = {
            name: Press(registry, publisher, learner, topics, name)
            for name, learner in family.learners.items()
        }
        releases = Releases(
            registry, family, presses, partial(batch_models, settings, registry, model)
        )
        releases.announce_again()
        with Reader(
            settings.connection, [topics.feedback], start(family), group=topics.group("learner")
        ) as reader:
            log.info("learner ready", model=model, members=list(family.learners))
            with seldom_collected():
                learn(reader, releases, Cadence(settings.cadence), stop)
        log.info("learner ends", model=model, learned=family.pacer.counts.learned)


def learn(reader: Reader, releases: Releases, cadence: Cadence, stop: Event) -> None:
    """Poll, absorb, publish when it is time, measure every second; at the end publish the rest."""
    measuring = Cadence(METRICS)
    while not stop.is_set():
        releases.absorb(reader.poll(IDLE))
        if releases.is_behind() and cadence.is_due():
            began = perf_counter()
            if releases.publish():
                reader.commit(positions(releases.family.pacer))
            cadence.published(perf_counter() - began)
        if measuring.is_due():
            began = perf_counter()
            releases.measure()
            measuring.published(perf_counter() - began)
    releases.publish_all()
    releases.measure()


def start(family: Family) -> dict[TopicPartition, int]:
    """Where to read from so that no member misses a row, and ids learned before are known again."""
    known = [remembered(learner) for learner in family.learners.values()]
    homes = set(known[0]).intersection(*known[1:])
    return {home: min(places[home] for places in known) for home in homes}


def positions(learner: Learner) -> dict[TopicPartition, int]:
    """The learner's next offsets."""
    return {TopicPartition.parse(home): offset for home, offset in learner.offsets.items()}


def remembered(learner: Learner) -> dict[TopicPartition, int]:
    """Where to read from so that the newest ids learned before the restart are known again."""
    back = learner.settings.remember // max(1, len(learner.offsets))
    return {home: max(0, offset - back) for home, offset in positions(learner).items()}
