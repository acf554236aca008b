"""Publishing of one learner's versions, events and metrics."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.models.registry.errors import RegistryError
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.learn.learner import Learner
from modstream.registry.events import model_event
from modstream.services.candidates import candidate_note

DELIVERY_TIMEOUT_SECONDS = 5.0
"""How long records may take to be acknowledged before the version after them is postponed."""


@dataclass(frozen=True, slots=True)
class VersionPublisher:
    """Publishes one learner: versions to the registry, events and metrics to their topics."""

    registry: Registry
    publisher: Publisher
    learner: Learner
    topics: Topics
    candidate: str = ""

    def is_behind(self) -> bool:
        """Return whether the learner has read feedback since its newest version."""
        return self.learner.offsets != self.learner.card.offsets

    def publish(self, alias: str = CHAMPION, *, test_number: int = 1, reason: str = "") -> bool:
        """Publish the learner's state and offsets as one version; return False on an outage.

        After an outage of Kafka or Redis the state is still in memory, and the next call publishes
        it. A version carries its offsets, so a crash in between costs time but no row. For the same
        reason the quarantine records of rows before these offsets must be acknowledged first.

        Args:
            alias: the alias to point at the version.
            test_number: the gate's current test number, from which a later process continues.
            reason: why the version is published; written to the history of the alias.

        Raises:
            DeliveryFailed: if the producer gave up a quarantine record; the next start sends it
                again.
        """
        learner, parent = self.learner, self.learner.card
        learned = {"learned": learner.counts.learned, "event_time": learner.event_time}
        spec = VersionSpec(
            **parent.model_dump(include={"name", "runtime", "task", "classes", "libraries"}),
            input_schema=parent.input_schema,
            parent=parent.version,
            metrics={**learned, "test_number": test_number},
            offsets=dict(learner.offsets),
            note=candidate_note(self.candidate),
        )
        try:
            self._await_delivery()
            content = learner.runtime.snapshot()
            card = self.registry.publish(spec, content, alias=alias, reason=reason)
        except (RegistryError, DeliveryPending) as error:
            structlog.get_logger(__name__).warning("version not published", cause=str(error))
            return False
        learner.set_published(card)
        event = model_event(self.topics, card, "publish", alias=alias, first_offsets=parent.offsets)
        self.send([event, self._metrics_record(learner.progress(card.version))])
        return True

    def announce_resumed(self, alias: str) -> None:
        """Send the event of the version resumed from again: its publisher may have crashed first.

        The topic keeps the newest event of a version, so the event names the alias if the alias
        points at the version.
        """
        card = self.learner.card
        is_current = self.registry.aliases(card.name).get(alias) == card.version
        before = {} if card.parent is None else self.registry.card(card.name, card.parent).offsets
        event = model_event(
            self.topics,
            card,
            "publish",
            alias=alias if is_current else None,
            first_offsets=before,
        )
        self.send([event])

    def publish_metrics(self) -> None:
        """Send the learner's metrics and its progress."""
        progress = self.learner.progress(self.learner.card.version)
        metrics = (*self.learner.metrics(), progress)
        self.send([self._metrics_record(one) for one in metrics])

    def send(self, records: Iterable[ProducerRecord]) -> None:
        """Send records without waiting for their acknowledgement."""
        for record in records:
            self.publisher.send(record)

    def _await_delivery(self) -> None:
        """Wait until all records sent are acknowledged, except those that Kafka rejected."""
        try:
            self.publisher.flush(DELIVERY_TIMEOUT_SECONDS)
        except DeliveryFailed as error:
            if not error.is_rejected:
                raise
            structlog.get_logger(__name__).error("record rejected by kafka", cause=str(error))

    def _metrics_record(self, metrics: Metrics) -> ProducerRecord:
        return ProducerRecord(self.topics.metrics, metrics.kind.encode(), encode(metrics))
