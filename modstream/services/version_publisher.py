"""What a learner puts out: versions, events and metrics."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.models.errors import RegistryError
from modstream.models.registry.registry import Registry
from modstream.models.schema.version_spec import Draft
from modstream.processors.learn.learner import Learner
from modstream.processors.predict.traffic_split import CHAMPION
from modstream.registry.events import model_event
from modstream.services.members import note

PATIENCE = 5.0
"""Seconds that what was sent may take to be acknowledged before a version is put off."""


@dataclass(slots=True)
class Press:
    """What a learner puts out: versions to the registry, events and metrics to their topics.

    Versions of `member` go to the alias `champion` while it serves, else to its own. `round` is
    the number of the gate's present test, which a successor must know.
    """

    registry: Registry
    publisher: Publisher
    learner: Learner
    topics: Topics
    member: str = ""
    alias: str = CHAMPION
    round: Callable[[], int] = lambda: 1

    def is_behind(self) -> bool:
        """Whether the learner has read on since its newest version."""
        return self.learner.offsets != self.learner.card.offsets

    def publish(self, evidence: str = "") -> bool:
        """Publish the learner's state and offsets as one version; False while a server is away.

        The state stays in memory and is published when the server is back: the version carries
        the offsets, so a crash before that costs time and no row. For the same reason the rows
        before them that were refused must lie in quarantine first.

        Raises:
            DeliveryFailed: a refused row was given up by the client; the next start sends it again.
        """
        learner, parent = self.learner, self.learner.card
        learned = {"learned": learner.counts.learned, "event_time": learner.event_time}
        draft = Draft(
            **parent.model_dump(include={"name", "runtime", "task", "classes", "libraries"}),
            input_schema=parent.input_schema,
            parent=parent.version,
            metrics={**learned, "round": self.round()},
            offsets=dict(learner.offsets),
            note=note(self.member),
        )
        try:
            self._await_delivery()
            card = self.registry.publish(
                draft, learner.runtime.snapshot(), alias=self.alias, evidence=evidence
            )
        except (RegistryError, DeliveryPending) as error:
            structlog.get_logger(__name__).warning("not published, going on", cause=str(error))
            return False
        learner.card = card
        event = model_event(
            self.topics, card, "publish", alias=self.alias, learned_from=parent.offsets
        )
        self.send([event, self._record(learner.progress(card.version))])
        return True

    def announce_again(self) -> None:
        """Tell of the version we resume from: who published it may have died before saying so."""
        card = self.learner.card
        # The topic keeps the newest event of a version: this one must not forget the alias.
        points = self.registry.aliases(card.name).get(self.alias) == card.version
        alias = self.alias if points else None
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

    def _await_delivery(self) -> None:
        """Wait until everything sent is acknowledged, but for what the cluster will never take."""
        try:
            self.publisher.flush(PATIENCE)
        except DeliveryFailed as error:
            if not error.refused:
                raise
            structlog.get_logger(__name__).error("not told, going on", cause=str(error))

    def _record(self, metrics: Metrics) -> Outgoing:
        return Outgoing(self.topics.metrics, metrics.kind.encode(), encode(metrics))
