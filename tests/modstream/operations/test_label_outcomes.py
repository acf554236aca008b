"""What became of labels, from the records of the joiner's topics."""

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import (
    Feedback,
    JoinedPrediction,
    Label,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.operations.label_outcomes import LabelState, OutcomeCollector

TOPICS = Topics("flights")
PREDICTION = JoinedPrediction(model="flights", version=3, outputs={"probability": 0.9})


@pytest.fixture
def collector():
    collector = OutcomeCollector(TOPICS)
    collector.expect(Label(id="r-1", label=True, event_time=1))
    return collector


def feedback(*, label=True, **fields):
    message = Feedback(
        id="r-1", label=label, predictions=(PREDICTION,), event_time=0, label_time=1, **fields
    )
    return Record(TOPICS.feedback, 0, 0, b"r-1", encode(message))


def unjoined(reason, request_id="r-1", **fields):
    message = Unjoined(id=request_id, reason=reason, **fields)
    return Record(TOPICS.unjoined, 0, 0, b"r-1", encode(message))


def only(collector):
    (outcome,) = collector.outcomes.values()
    return outcome


def test_a_label_with_feedback_is_joined(collector):
    collector.add(feedback())

    assert only(collector).state == LabelState.JOINED
    assert only(collector).predictions == (PREDICTION,)
    assert not collector.open


def test_a_label_that_corrects_another_one_is_joined_whatever_arrives_first(collector):
    collector.add(unjoined(UnjoinedReason.REVISED, label=True))
    collector.add(feedback(revises=False))
    collector.add(unjoined(UnjoinedReason.REVISED, label=True))

    assert (only(collector).state, only(collector).revises) == (LabelState.JOINED, False)


def test_a_label_that_cannot_be_joined_has_its_reason(collector):
    collector.add(unjoined(UnjoinedReason.ROW_UNKNOWN, label=True, detail="there is no row 7"))

    assert only(collector).state == LabelState.UNJOINED
    assert (only(collector).reason, only(collector).detail) == (
        UnjoinedReason.ROW_UNKNOWN,
        "there is no row 7",
    )


def test_records_of_other_labels_leave_a_label_open(collector):
    collector.add(feedback(label=False))
    collector.add(feedback(row=1))
    collector.add(unjoined(UnjoinedReason.LATE, request_id="r-2", label=True))
    collector.add(unjoined(UnjoinedReason.MISSING))
    collector.add(Record(TOPICS.feedback, 0, 0, b"r-1", b"not JSON"))

    assert not collector.outcomes
    assert len(collector.open) == 1


def test_rows_of_one_request_have_their_own_outcomes(collector):
    collector.expect(Label(id="r-1", row=1, label=True, event_time=1))

    collector.add(feedback(row=1))

    assert only(collector).label.row == 1
    assert len(collector.open) == 1
