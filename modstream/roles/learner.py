"""A learner: reads feedback, learns, and publishes versions that know how far they have read."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event
from time import perf_counter

import structlog

from broker.codec import encode
from broker.contracts import Metrics
from broker.names import Topics
from broker.publisher import Publisher
from broker.reader import Reader
from broker.records import Outgoing, Record, TopicPartition
from models.card import ModelCard
from models.draft import Draft
from models.errors import RegistryError, UnreadableArtifact
from models.loading import fetch
from models.registry import Registry
from models.runtime import LearningRuntime
from modstream.cadence import Cadence, CadenceSettings
from modstream.errors import NotALearner
from modstream.rebuild import rebuild
from modstream.roles.events import model_event
from modstream.roles.registry import await_model, newest_that_learns, open_registry, trust
from modstream.settings import Settings
from processors.learn import Counts, Learner

IDLE = 0.05
METRICS = CadenceSettings(seconds=1.0, share=0.02)


def run_learner(settings: Settings, model: str, stop: Event) -> None:
    """Learn until `stop`; what has been learned by then is published before this returns.

    Raises:
        NotALearner: no version of the model can learn.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with (
        open_registry(settings) as registry,
        Publisher(settings.connection, f"{topics.group('learner')}-{model}") as publisher,
    ):
        card = await_model(registry, stop, model, lambda: newest_that_learns(registry, model))
        if card is None:
            return
        learner = resume(settings, registry, card)
        press = Press(registry, publisher, learner, topics)
        press.announce_again()
        start = remembered(learner)
        with Reader(
            settings.connection, [topics.feedback], start, group=topics.group("learner")
        ) as reader:
            log.info("learner ready", model=model, version=card.version)
            learn(reader, learner, press, Cadence(settings.cadence), stop)
        log.info("learner ends", version=learner.card.version, learned=learner.counts.learned)


def resume(settings: Settings, registry: Registry, card: ModelCard) -> Learner:
    """The learner as its newest version left it; relearned, if that cannot be read any more.

    Raises:
        NotALearner: the version's runtime cannot learn.
        NothingReadable: neither this version nor any before it can be read.
        ModelError: it cannot be loaded for another reason.
    """
    try:
        runtime = fetch(registry, trust(settings), card, settings.shelf.warm_up_rows)
    except UnreadableArtifact:
        return rebuild(settings, registry, card)
    if not isinstance(runtime, LearningRuntime):
        raise NotALearner(card.name, card.version, card.runtime)
    counts = Counts(learned=int(card.metrics.get("learned", 0)))
    return Learner(card, runtime, settings.topics(), settings.learn, dict(card.offsets), counts)


def learn(reader: Reader, learner: Learner, press: "Press", cadence: Cadence, stop: Event) -> None:
    """Poll, absorb, publish when it is time, measure every second; at the end publish the rest."""
    measuring = Cadence(METRICS)
    while not stop.is_set():
        records = unlearned(learner, reader.poll(IDLE))
        press.send(learner.absorb(records))
        if press.is_behind() and cadence.is_due():
            began = perf_counter()
            if press.publish():
                reader.commit(positions(learner))
            cadence.published(perf_counter() - began)
        if measuring.is_due():
            began = perf_counter()
            press.measure()
            measuring.published(perf_counter() - began)
    if press.is_behind():
        press.publish()
    press.measure()


@dataclass(frozen=True, slots=True)
class Press:
    """What a learner puts out: versions to the registry, events and metrics to their topics."""

    registry: Registry
    publisher: Publisher
    learner: Learner
    topics: Topics

    def is_behind(self) -> bool:
        """Whether the learner has read on since its newest version."""
        return self.learner.offsets != self.learner.card.offsets

    def publish(self) -> bool:
        """Publish the learner's state and offsets as one version; False while Redis is away.

        The state stays in memory and is published when the registry is back: the version carries
        the offsets, so a crash before that costs time and no row.
        """
        learner, parent = self.learner, self.learner.card
        learned = {"learned": learner.counts.learned, "event_time": learner.event_time}
        draft = Draft(
            **parent.model_dump(include={"name", "runtime", "task", "classes", "libraries"}),
            input_schema=parent.input_schema,
            parent=parent.version,
            metrics=learned,
            offsets=dict(learner.offsets),
        )
        try:
            card = self.registry.publish(draft, learner.runtime.snapshot())
        except RegistryError as error:
            structlog.get_logger(__name__).warning("not published, going on", cause=str(error))
            return False
        learner.card = card
        event = model_event(
            self.topics, card, "publish", alias="champion", learned_from=parent.offsets
        )
        self.send([event, self._record(learner.progress(card.version))])
        return True

    def announce_again(self) -> None:
        """Tell of the version we resume from: who published it may have died before saying so."""
        card = self.learner.card
        # The topic keeps the newest event of a version: this one must not forget the alias.
        serves = self.registry.aliases(card.name).get("champion") == card.version
        alias = "champion" if serves else None
        before = {} if card.parent is None else self.registry.card(card.name, card.parent).offsets
        self.send([model_event(self.topics, card, "publish", alias=alias, learned_from=before)])

    def measure(self) -> None:
        """Put out the prequential figures and how far the learner is."""
        progress = self.learner.progress(self.learner.card.version)
        self.send([self._record(metrics) for metrics in (*self.learner.metrics(), progress)])

    def send(self, outgoing: Iterable[Outgoing]) -> None:
        """Send records; their delivery is served in passing."""
        for record in outgoing:
            self.publisher.send(record)

    def _record(self, metrics: Metrics) -> Outgoing:
        return Outgoing(self.topics.metrics, metrics.kind.encode(), encode(metrics))


def unlearned(learner: Learner, records: list[Record]) -> list[Record]:
    """The records still to learn; of earlier ones the learner only remembers the ids."""
    offsets = learner.offsets
    earlier = [record for record in records if record.offset < offsets.get(str(record.home), 0)]
    if not earlier:
        return records
    learner.remember(earlier)
    return [record for record in records if record.offset >= offsets.get(str(record.home), 0)]


def positions(learner: Learner) -> dict[TopicPartition, int]:
    """The learner's next offsets."""
    return {TopicPartition.parse(home): offset for home, offset in learner.offsets.items()}


def remembered(learner: Learner) -> dict[TopicPartition, int]:
    """Where to read from so that the newest ids learned before the restart are known again."""
    back = learner.settings.remember // max(1, len(learner.offsets))
    return {home: max(0, offset - back) for home, offset in positions(learner).items()}
