"""Whether feedback is a training example for a model, and how its row is identified."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from modstream.broker.wire.feedback_codec import AnyFeedback
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.models.schema.card import ModelCard

MAX_KEY_LENGTH = 64
"""Length up to which a row's key is remembered itself, and not by its hash."""


def is_training_example(feedback: AnyFeedback) -> bool:
    """Return whether feedback has a row to learn; otherwise it only scores predictions."""
    return feedback.features is not None and feedback.revises is None


def belongs_to(card: ModelCard, feedback: AnyFeedback) -> bool:
    """Return whether a row belongs to this model, and not to another model on the same stream.

    A row belongs to another model if only other models predicted it and it lacks this model's
    features, apart from those that may be missing.
    """
    models = {prediction.model for prediction in feedback.predictions}
    if not models or card.name in models:
        return True
    return card.input_schema.is_covered_by(feedback.features or {})


def is_released(record: Record) -> bool:
    """Return whether a feedback record was released from quarantine."""
    return bool(record.headers) and record.header(Header.REDRIVE_OF) is not None


def fingerprint(feedback: AnyFeedback) -> int:
    """Return a hash of a row's features, which is the same only within this process.

    The label is left out: after a crash the joiner may repeat a row with its revised label.
    """
    values = (feedback.features or {}).values()
    # Two NaNs are neither equal nor do they have the same hash.
    return hash(tuple(None if value != value else value for value in values))  # noqa: PLR0124


@dataclass(slots=True)
class SeenIds:
    """The newest `capacity` rows by id and row number, each with the fingerprint of its row.

    A long id is remembered by its hash, so that it takes no more memory than a short one.
    """

    capacity: int
    _fingerprints: OrderedDict[str | bytes, int] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self._fingerprints)

    def add(self, feedback: AnyFeedback) -> bool:
        """Remember the id of a row; return whether it is new."""
        key = _key(feedback)
        if key in self._fingerprints:
            return False
        self._fingerprints[key] = fingerprint(feedback)
        if len(self._fingerprints) > self.capacity:
            self._fingerprints.popitem(last=False)
        return True

    def is_reused_by(self, feedback: AnyFeedback) -> bool:
        """Return whether a training example has the id of an earlier, different row."""
        seen = self._fingerprints.get(_key(feedback))
        if seen is None or not is_training_example(feedback):
            return False
        return seen != fingerprint(feedback)


def _key(feedback: AnyFeedback) -> str | bytes:
    text = row_key(feedback.id, feedback.row)
    if len(text) <= MAX_KEY_LENGTH:
        return text
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
