"""States from before flipped labels, and which learners are restored to them."""

import pytest

from modstream.models.errors import PredictError
from modstream.processors.promote.label_flip import FlipEvent
from modstream.processors.promote.state_history import StateHistory
from modstream.processors.promote.state_rollback import MAX_COMPARED_LABELS, StateRollback
from tests.processors.promote.synthetic_stream import (
    feedback_records,
    labels_only,
    small_learner,
    synthetic_events,
)

CORRECT_AGAIN = FlipEvent(is_flipped=False, label_count=50)


@pytest.fixture
def learner():
    """A learner that has learned 500 rows."""
    learner = small_learner(0.05)
    learner.learn_batch(feedback_records(synthetic_events(1, 500)))
    return learner


@pytest.fixture
def rollback(learner):
    """A rollback that keeps the learner's sound state."""
    history, rollback = StateHistory(), StateRollback(max_auc_loss=0.05)
    history.record(7, learner.runtime)
    rollback.record_time(500, 7)
    rollback.pin(500, {"a": history})
    return rollback


def labelled_batch(learner, *, flipped=False, count=100):
    events = labels_only(synthetic_events(2, count))
    batch = learner.card.input_schema.parse_rows([event.features for event in events]).batch
    return batch, [event.label != flipped for event in events]


def test_a_learner_that_learned_flipped_labels_is_restored(rollback, learner):
    batch, labels = labelled_batch(learner)
    before = learner.runtime.predict(batch).tolist()
    for _ in range(3):
        learner.runtime.learn(*labelled_batch(learner, flipped=True))

    rollback.compare({"a": learner}, batch, labels)
    rollback.decide(CORRECT_AGAIN)

    ((name, time, state),) = rollback.pop_restored()
    assert (name, time) == ("a", 7)
    assert state.predict(batch).tolist() == before
    assert rollback.pop_restored() == []


def test_labels_from_before_they_were_correct_again_are_ignored(rollback, learner):
    for _ in range(3):
        learner.runtime.learn(*labelled_batch(learner, flipped=True))

    rollback.compare({"a": learner}, *labelled_batch(learner, flipped=True, count=500))
    rollback.compare({"a": learner}, *labelled_batch(learner, count=MAX_COMPARED_LABELS))
    rollback.decide(FlipEvent(is_flipped=False, label_count=700))

    assert [name for name, _, _ in rollback.pop_restored()] == ["a"]


def test_a_learner_that_fails_now_is_restored(rollback, learner, monkeypatch):
    def fails(_):
        raise PredictError("river", "a drill")

    monkeypatch.setattr(learner.runtime, "predict", fails)

    rollback.compare({"a": learner}, *labelled_batch(learner))
    rollback.decide(CORRECT_AGAIN)

    assert [name for name, _, _ in rollback.pop_restored()] == ["a"]


def test_a_learner_that_predicts_as_well_as_before_is_not_restored(rollback, learner):
    rollback.compare({"a": learner}, *labelled_batch(learner))
    rollback.decide(CORRECT_AGAIN)

    assert rollback.pop_restored() == []


def test_no_learner_is_restored_once_flipped_labels_are_accepted(rollback, learner):
    learner.runtime.learn(*labelled_batch(learner, flipped=True))
    rollback.unpin()

    rollback.compare({"a": learner}, *labelled_batch(learner))
    rollback.decide(CORRECT_AGAIN)

    assert rollback.pop_restored() == []


def test_the_newest_checkpoint_before_the_flip_is_found(learner):
    rollback = StateRollback(max_auc_loss=0.05)
    assert rollback.checkpoint_at(100) is None

    first, too_soon, second = (rollback.checkpoint(count, learner) for count in (100, 200, 400))

    assert too_soon is None
    assert rollback.checkpoint_at(399) is first
    assert rollback.checkpoint_at(400) is second
    assert rollback.checkpoint_at(50) is first
