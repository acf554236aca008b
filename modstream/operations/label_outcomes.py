"""What became of labels that were just sent, as the joiner's topics and offsets show it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Self

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import DeliveryReport, Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import (
    Feedback,
    JoinedPrediction,
    Label,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.producers.client.label_records import label_record

OFFSETS_INTERVAL_SECONDS = 0.5
"""Time between two requests for the joiner's offsets."""
SETTLE_SECONDS = 1.0
"""Time in which a reader receives what the joiner wrote before it committed its offsets."""


class LabelState(StrEnum):
    """What became of a label."""

    JOINED = "joined"
    """It was joined with predictions."""
    WAITING = "waiting"
    """The joiner holds it, and no prediction with its id has arrived."""
    UNREAD = "unread"
    """The joiner has not read it yet."""
    UNJOINED = "unjoined"
    """It was not joined, for a reason."""


@dataclass(frozen=True, slots=True)
class LabelOutcome:
    """What became of a label: the predictions that it was joined with, or why it was not joined.

    `revises` is the earlier label that it corrects.
    """

    label: Label
    state: LabelState
    predictions: tuple[JoinedPrediction, ...] = ()
    revises: object = None
    reason: UnjoinedReason | None = None
    detail: str | None = None


@dataclass(slots=True)
class OutcomeCollector:
    """The outcomes of some labels, from the records of the joiner's topics. Pure.

    A label that corrects an earlier one is at first unjoined with the reason `revised`, and then
    joined.
    """

    topics: Topics
    labels: dict[str, Label] = field(default_factory=dict)
    outcomes: dict[str, LabelOutcome] = field(default_factory=dict)

    def expect(self, label: Label) -> None:
        """Collect the outcome of a label from now on."""
        name = row_key(label.id, label.row)
        self.labels[name] = label
        self.outcomes.pop(name, None)

    @property
    def open(self) -> set[str]:
        """The labels without an outcome, by their row keys."""
        return self.labels.keys() - self.outcomes.keys()

    def add(self, record: Record) -> None:
        """Add the outcome that a record reports; other records are ignored."""
        try:
            if record.topic == self.topics.feedback:
                self._add_feedback(decode(Feedback, record.value))
            elif record.topic == self.topics.unjoined:
                self._add_unjoined(decode(Unjoined, record.value))
        except DecodeError:
            return

    def _add_feedback(self, feedback: Feedback) -> None:
        name = row_key(feedback.id, feedback.row)
        label = self.labels.get(name)
        if label is not None and label.label == feedback.label:
            self.outcomes[name] = LabelOutcome(
                label, LabelState.JOINED, feedback.predictions, feedback.revises
            )

    def _add_unjoined(self, message: Unjoined) -> None:
        name = row_key(message.id, message.row)
        label = self.labels.get(name)
        if label is None or message.reason == UnjoinedReason.MISSING or name in self.outcomes:
            return
        self.outcomes[name] = LabelOutcome(
            label, LabelState.UNJOINED, reason=message.reason, detail=message.detail
        )


class LabelSender:
    """Sends labels and watches what becomes of them. Use it as a context manager."""

    def __init__(self, connection: Connection, topics: Topics) -> None:
        """Connect, and read the joiner's topics from their present ends on.

        Raises:
            TopicMissing: the stream's topics do not exist.
            BrokerUnavailable: no broker responds.
        """
        self._topics = topics
        # As in the client, the producer connects while the reader looks up its offsets.
        self._publisher = Publisher(connection, "modstream-label")
        self._reader = Reader(connection, [topics.feedback, topics.unjoined], start="end")
        self._admin = Admin(connection)
        self._collector = OutcomeCollector(topics)
        self._records: dict[str, Record] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._publisher.close()

    def send(self, labels: Iterable[tuple[Label, str | None]]) -> int:
        """Send labels, each with the key of its request or None; return their number.

        Raises:
            DeliveryFailed: a label was not acknowledged.
        """
        count = 0
        for label, key in labels:
            name = row_key(label.id, label.row)
            self._collector.expect(label)

            def on_delivery(report: DeliveryReport, name: str = name) -> None:
                if report.record is not None:
                    self._records[name] = report.record

            self._publisher.send(label_record(self._topics, label, key), on_delivery)
            count += 1
        self._publisher.flush()
        return count

    def joiners(self) -> int:
        """Return the number of joiners that have partitions."""
        return self._admin.count_members(self._topics.group("joiner"))

    def outcomes(self, timeout: float) -> Iterator[LabelOutcome]:
        """Yield the outcome of each label that was sent, in the order of sending.

        Wait while new outcomes follow each other within `timeout` seconds, or until the joiner has
        read all labels.
        """
        self._collect(timeout)
        unread = self._unread() if self._collector.open else set()
        for name, label in self._collector.labels.items():
            state = LabelState.UNREAD if name in unread else LabelState.WAITING
            yield self._collector.outcomes.get(name) or LabelOutcome(label, state)

    def _collect(self, timeout: float) -> None:
        collector = self._collector
        deadline = monotonic() + timeout
        next_check = monotonic() + OFFSETS_INTERVAL_SECONDS
        while collector.open and monotonic() < deadline:
            before = len(collector.outcomes)
            for record in self._reader.poll():
                collector.add(record)
            if len(collector.outcomes) > before:
                deadline = monotonic() + timeout
            elif monotonic() >= next_check:
                next_check = monotonic() + OFFSETS_INTERVAL_SECONDS
                if not self._unread():
                    deadline = min(deadline, monotonic() + SETTLE_SECONDS)
                    next_check = deadline

    def _unread(self) -> set[str]:
        """Return the labels without an outcome that the joiner has not read."""
        group = self._topics.group("joiner")
        committed = self._admin.committed_offsets(group, [self._topics.labels])
        records: Mapping[str, Record] = self._records
        return {
            name
            for name in self._collector.open
            if name not in records
            or records[name].offset >= committed.get(records[name].topic_partition, 0)
        }
