"""What a piece of feedback is to a learner: whether it teaches, and which row it is."""

from modstream.broker.wire.feedback_codec import Told
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.models.schema.card import ModelCard


def teaches(feedback: Told) -> bool:
    """Whether there is a row to learn; else it only tells of predictions."""
    return feedback.features is not None and feedback.revises is None


def is_meant_for(card: ModelCard, feedback: Told) -> bool:
    """Whether a row is one of this model's, and not another's on the same stream.

    Another's was answered by others alone, and lacks this model's features.
    """
    answered = {scored.model for scored in feedback.predictions}
    if not answered or card.name in answered:
        return True
    return (feedback.features or {}).keys() >= set(card.input_schema.names)


def is_released(record: Record) -> bool:
    """Whether feedback comes out of quarantine."""
    return bool(record.headers) and record.header(Header.REDRIVE_OF) is not None


def fingerprint(feedback: Told) -> int:
    """A row's features as one number, the same within this process.

    Without the label: after a crash the joiner may repeat a row with the label that revised it.
    """
    return hash(tuple((feedback.features or {}).values()))
