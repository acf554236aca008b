"""Publishing of one learner's versions, events and metrics."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.loop.isolation import is_fault, message_of
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.record_size import fits, record_size
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.lineage.emitter import NO_LINEAGE, Lineage
from modstream.lineage.runs import learning_run
from modstream.models.errors import ModelError
from modstream.models.registry.errors import AliasMoved, RegistryError
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.learn.learner import Learner
from modstream.registry.events import model_event
from modstream.services.candidates import candidate_note

INHERITED_FIELDS = {
    *("name", "runtime", "task", "classes", "scores", "targets", "sample_rows", "libraries"),
    *("input_tensors", "output_tensors", "trial"),
}
"""The fields of a card that the next version of a learner takes over, besides the input schema."""
DELIVERY_TIMEOUT_SECONDS = 5.0
"""How long records may take to be acknowledged before the version after them is postponed."""


def ignore_metrics(_metrics: Sequence[Metrics]) -> None:
    """Do nothing: the default observer of metrics."""


@dataclass(frozen=True, slots=True)
class VersionPublisher:
    """Publishes one learner: versions to the registry, events and metrics to their topics.

    `on_metrics` is called with the metrics that are sent.
    """

    registry: Registry
    publisher: Publisher
    learner: Learner
    topics: Topics
    candidate: str = ""
    on_metrics: Callable[[Sequence[Metrics]], None] = ignore_metrics
    lineage: Lineage = NO_LINEAGE

    @property
    def card(self) -> ModelCard:
        """The card of the newest version."""
        return self.learner.card

    def is_behind(self) -> bool:
        """Return whether the learner has read feedback since its newest version."""
        return self.learner.offsets != self.learner.card.offsets

    def publish(
        self,
        alias: str | None = CHAMPION,
        *,
        expected: int | None = None,
        test_number: int = 1,
        reason: str = "",
    ) -> bool:
        """Publish the learner's state and offsets as one version; return False if it failed.

        After an outage of Kafka or Redis the state is still in memory, and the next call publishes
        it. A version carries its offsets, so a crash in between costs time but no row. For the same
        reason the quarantine records of rows before these offsets must be acknowledged first.

        Args:
            alias: the alias to point at the version, if any.
            expected: the version that the alias must point at before; by default any.
            test_number: the gate's current test number, from which a later process continues.
            reason: why the version is published; written to the history of the alias.

        Raises:
            AliasMoved: the alias points at another version than the expected one.
            DeliveryFailed: if the producer gave up a quarantine record; the next start sends it
                again.
        """
        learner, parent, first_offsets = self.learner, self.learner.card, self.learner.first_offsets
        learned = {**learner.counts.totals(), "event_time": learner.event_time}
        spec = VersionSpec(
            **parent.model_dump(include=INHERITED_FIELDS),
            input_schema=parent.input_schema,
            parent=parent.version,
            metrics={**learned, "test_number": test_number},
            offsets=dict(learner.offsets),
            note=candidate_note(self.candidate),
        )
        try:
            self._await_delivery()
            content = learner.runtime.snapshot()
            card = self.registry.publish(
                spec, content, alias=alias, expected=expected, reason=reason
            )
        except AliasMoved:
            raise
        except (RegistryError, DeliveryPending) as error:
            structlog.get_logger(__name__).warning("version not published", cause=str(error))
            return False
        except ModelError as error:
            # What was learned stays in memory, and a later state may be one that can be stored.
            structlog.get_logger(__name__).error("version cannot be stored", cause=str(error))
            return False
        learner.set_published(card)
        event = model_event(self.topics, card, "publish", alias=alias, first_offsets=first_offsets)
        self.send([event, self._metrics_record(learner.progress(card.version))])
        self.lineage.record(learning_run(self.topics, card, parent, alias, reason))
        return True

    def announce_resumed(self, alias: str | None) -> None:
        """Send the event of the version resumed from again: its publisher may have crashed first.

        The topic keeps the newest event of a version, so the event names the alias if the alias
        points at the version.
        """
        card = self.learner.card
        is_current = self.registry.aliases(card.name).get(alias or "") == card.version
        parent = None if card.parent is None else self.registry.card(card.name, card.parent)
        event = model_event(
            self.topics,
            card,
            "publish",
            alias=alias if is_current else None,
            first_offsets={} if parent is None else parent.offsets,
        )
        self.send([event])
        if parent is not None and card.offsets:
            current = alias if is_current else None
            self.lineage.record(learning_run(self.topics, card, parent, current, ""))

    def publish_metrics(self) -> None:
        """Send the learner's metrics and progress; log metrics that cannot be computed."""
        metrics = [self.learner.progress(self.learner.card.version)]
        try:
            metrics = [*self.learner.metrics(), *metrics]
        except Exception as error:
            if not is_fault(error):
                raise
            structlog.get_logger(__name__).exception("no metrics", cause=message_of(error))
        self.on_metrics(metrics)
        self.send_metrics(metrics)

    def send_metrics(self, metrics: Iterable[Metrics]) -> None:
        """Send metrics without waiting for their acknowledgement."""
        self.send([self._metrics_record(one) for one in metrics])

    def send(self, records: Iterable[ProducerRecord]) -> None:
        """Send records without waiting for their acknowledgement.

        A record that is larger than a topic takes is left out, with an error in the log.
        """
        for record in records:
            if fits(record):
                self.publisher.send(record)
            else:
                structlog.get_logger(__name__).error(
                    "record too large to be sent", topic=record.topic, size=record_size(record)
                )

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
