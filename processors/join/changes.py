"""The changes that one record or one due entry makes to a partition, applied all at once.

What can fail, happens while changes are collected: decoding, the state machine, the encoding of
messages. To apply them cannot fail, so a record that raises an exception has changed nothing.
"""

from collections import Counter

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction, Unjoined, UnjoinedReason
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import MAX_KEY_BYTES, fits, record_size
from modstream.broker.wire.records import Headers, ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.processors.join.entry import JoinEntry, JoinState
from modstream.processors.join.entry_store import EntryStore
from modstream.processors.join.label_stats import LabelStats
from modstream.processors.join.transitions import JoinCounter, Transition


class Changes:
    """Changed entries, records to publish and counts; `entries` are those before the changes.

    Each record to publish fits its topic by `limits`.
    `untold` are ids of requests whose waiting labels cannot be joined with the responses so far.
    """

    def __init__(
        self, topics: Topics, entries: EntryStore, limits: RecordLimits, partition: int
    ) -> None:
        self.changed: dict[str, JoinEntry | None] = {}
        self.records: list[ProducerRecord] = []
        self.counts: Counter[str] = Counter()
        self.untold: set[str] = set()
        self._topics = topics
        self._entries = entries
        self._limits = limits
        self._partition = partition
        self._predicted: list[JoinedPrediction] = []
        self._labelled: list[JoinedPrediction] = []
        self._missing: list[JoinedPrediction] = []
        self._delays: list[int] = []

    def get(self, key: str) -> JoinEntry | None:
        """Return the entry of a row as changed so far."""
        if self.changed and key in self.changed:
            return self.changed[key]
        return self._entries.get(key)

    def add(self, key: str, transition: Transition, message_key: bytes | None = None) -> None:
        """Add a transition of a row and its messages.

        Args:
            key: the key of the row.
            transition: its new entry, messages and counter.
            message_key: the key of the messages if there is no entry before and after.
        """
        before = self.get(key)
        known = transition.entry or before
        headers: Headers = ()
        if known is not None:
            message_key, headers = known.message_key, known.trace_headers
        counter = transition.counter
        for message in transition.outputs:
            record = self._encode(message, message_key, headers)
            if not fits(record, self._limits.of(record.topic)):
                # The joined messages are the only ones with features; the label is told instead.
                told = _too_large(message, record_size(record), self.place_of(known))
                record = self._encode(told, message_key, headers)
                counter = JoinCounter.UNLABELLABLE if counter is JoinCounter.JOINED else counter
            elif before is not None:
                self._count_messages(message, before)
            self.records.append(record)
        if counter is not None:
            self.counts[counter] += 1
        if transition.entry is not before:
            self.changed[key] = transition.entry

    def forward(self, copy: ProducerRecord) -> None:
        """Add the copy of a label that is sent to another partition."""
        self.records.append(copy)
        self.counts[JoinCounter.FORWARDED] += 1

    def count_prediction(self, prediction: JoinedPrediction) -> None:
        """Count a prediction of one row that can be joined with a label."""
        self._predicted.append(prediction)

    def apply_to_stats(self, stats: LabelStats) -> None:
        """Add the counts about labels to a partition's."""
        for prediction in self._predicted:
            stats.count_prediction(prediction)
        if self._labelled:
            stats.count_labelled(self._labelled)
        if self._missing:
            stats.count_missing(self._missing)
        for delay in self._delays:
            stats.count_delay(delay)

    def place_of(self, entry: JoinEntry | None) -> str:
        """Return the position of the last prediction of a row."""
        offset = -1 if entry is None else entry.last_prediction_offset
        return f"{self._topics.predictions}:{self._partition}:{offset}"

    def _encode(
        self, message: Feedback | Unjoined, key: bytes | None, headers: Headers
    ) -> ProducerRecord:
        is_feedback = isinstance(message, Feedback)
        topic = self._topics.feedback if is_feedback else self._topics.unjoined
        if key is not None and len(key) > MAX_KEY_BYTES:
            key = None
        return ProducerRecord(topic, key, encode(message), headers)

    def _count_messages(self, message: Feedback | Unjoined, before: JoinEntry) -> None:
        """Count the predictions that a message labels or gives up, and its label's delay."""
        if isinstance(message, Feedback) and message.revises is None:
            self._labelled += message.predictions
            if before.state is JoinState.OPEN:
                self._delays.append(message.label_time - message.event_time)
        elif isinstance(message, Unjoined) and message.reason is UnjoinedReason.MISSING:
            self._missing += before.predictions


def _too_large(message: Feedback | Unjoined, size: int, place: str) -> Unjoined:
    """Return a message that says that another one is too large, and where its prediction is."""
    return Unjoined.model_construct(
        id=message.id,
        row=message.row,
        reason=UnjoinedReason.TOO_LARGE,
        detail=f"the message has {size:,} bytes, more than its topic takes; see {place}",
        label=message.label,
        event_time=message.event_time,
        label_time=message.label_time,
    )
