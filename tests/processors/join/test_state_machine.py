"""The rules of the late-label join of one id, one by one."""

import pytest

from modstream.processors.join.state_machine import (
    Arrival,
    Count,
    State,
    due,
    expire,
    on_label,
    on_prediction,
)
from tests.processors.join.join_log import FEATURES, HORIZON, label, prediction


def arrival(offset, key=b"key"):
    return Arrival(offset, key, timestamp=7)


def waiting_prediction(**fields):
    return on_prediction(None, prediction(**fields), arrival(0)).entry


def joined_entry(**fields):
    return on_label(waiting_prediction(**fields), label(), arrival(0)).entry


def test_a_label_that_comes_after_its_prediction_is_joined():
    waiting = waiting_prediction(at=20, features=FEATURES)

    step = on_label(waiting, label(value=True, at=50), arrival(0))

    assert step.counted is Count.JOINED
    assert step.outputs[0].label is True
    assert step.outputs[0].features == FEATURES
    assert [(p.model, p.version) for p in step.outputs[0].predictions] == [("online", 3)]
    assert (step.outputs[0].event_time, step.outputs[0].label_time) == (20, 50)


def test_a_label_that_comes_before_its_prediction_waits_for_it():
    held = on_label(None, label(), arrival(0))

    step = on_prediction(held.entry, prediction(features=FEATURES), arrival(0))

    assert held.outputs == ()
    assert step.counted is Count.JOINED
    assert step.outputs[0].features == FEATURES


def test_a_label_meets_all_predictions_of_the_route_known_so_far():
    both = on_prediction(waiting_prediction(), prediction(model="frozen"), arrival(1)).entry

    step = on_label(both, label(), arrival(0))

    assert [scored.model for scored in step.outputs[0].predictions] == ["online", "frozen"]


def test_a_model_that_answers_after_the_join_follows_alone_and_counts_no_second_label():
    joined = joined_entry(features=FEATURES)

    step = on_prediction(joined, prediction(model="frozen"), arrival(1))

    assert [scored.model for scored in step.outputs[0].predictions] == ["frozen"]
    assert step.outputs[0].features is None
    assert step.counted is None


def test_features_that_come_late_travel_once():
    joined = joined_entry(model="frozen", features=None)

    first = on_prediction(joined, prediction(model="online", features=FEATURES), arrival(1))
    second = on_prediction(first.entry, prediction(model="other", features=FEATURES), arrival(2))

    assert first.outputs[0].features == FEATURES
    assert second.outputs[0].features is None


def test_a_prediction_without_event_time_happened_when_its_record_was_made():
    timeless = prediction().model_copy(update={"event_time": None})

    step = on_prediction(None, timeless, arrival(0))

    assert step.entry.event_time == 7


def test_a_prediction_whose_label_is_away_past_the_horizon_is_missing():
    waiting = waiting_prediction(at=20)

    just_not = expire(waiting, 20 + HORIZON, HORIZON)
    step = expire(waiting, 21 + HORIZON, HORIZON)

    assert just_not.entry is waiting
    assert (step.counted, step.entry.state) == (Count.MISSING, State.GIVEN_UP)
    assert step.outputs[0].event_time == 20


def test_a_label_for_a_prediction_that_was_given_up_is_late():
    given_up = expire(waiting_prediction(), HORIZON + 1, HORIZON).entry

    step = on_label(given_up, label(), arrival(0))

    assert (step.counted, step.outputs[0].reason) == (Count.LATE, "late")


def test_an_entry_that_was_given_up_is_dropped_a_horizon_later():
    given_up = expire(waiting_prediction(), HORIZON + 1, HORIZON).entry

    assert expire(given_up, 2 * HORIZON, HORIZON).entry is given_up
    assert expire(given_up, 2 * HORIZON + 1, HORIZON).entry is None


def test_a_label_without_prediction_is_an_orphan_after_the_horizon():
    held = on_label(None, label(at=50), arrival(0)).entry

    step = expire(held, 51 + HORIZON, HORIZON)

    assert (step.counted, step.outputs[0].label_time) == (Count.ORPHAN, 50)
    assert step.entry is None


def test_a_label_that_arrives_twice_is_counted_once():
    step = on_label(joined_entry(), label(), arrival(1))

    assert (step.counted, step.outputs[0].reason) == (Count.DUPLICATE, "duplicate")


@pytest.mark.parametrize(
    ("value", "revision", "counted"),
    [("no", 1, Count.REVISED), ("yes", 1, Count.REVISED), ("no", 0, Count.REVISED)],
)
def test_another_value_or_a_higher_revision_revises_a_label(value, revision, counted):
    step = on_label(joined_entry(), label(value=value, revision=revision), arrival(1))

    assert step.counted is counted
    assert step.outputs[0].label == value


def test_a_lower_revision_is_a_duplicate_whatever_its_value():
    revised = on_label(joined_entry(), label(revision=2), arrival(1)).entry

    step = on_label(revised, label(value="no", revision=1), arrival(2))

    assert step.counted is Count.DUPLICATE


def test_a_label_revised_before_its_prediction_came_is_joined_with_its_last_value():
    held = on_label(None, label(value="yes"), arrival(0)).entry
    revised = on_label(held, label(value="no", revision=1), arrival(1)).entry

    step = on_prediction(revised, prediction(), arrival(0))

    assert step.outputs[0].label == "no"


def test_a_record_seen_again_at_its_offset_changes_nothing():
    joined = joined_entry()

    assert on_label(joined, label(), arrival(0)) == (joined, (), Count.REPLAYED)
    assert on_prediction(joined, prediction(), arrival(0)) == (joined, (), Count.REPLAYED)


def test_a_request_that_a_model_answers_twice_is_joined_once():
    step = on_prediction(joined_entry(), prediction(), arrival(9))

    assert (step.outputs, step.counted) == ((), Count.REPLAYED)


def test_an_answer_for_several_rows_cannot_be_joined_to_one_label():
    rows = prediction(outputs=({"probability": 0.1}, {"probability": 0.9}))

    assert on_prediction(None, rows, arrival(0)) == (None, (), Count.REFUSED)


def test_an_entry_is_never_due_before_its_newest_side_has_aged():
    joined = on_label(waiting_prediction(at=80), label(at=30), arrival(0)).entry

    assert due(joined, HORIZON) == 80 + HORIZON
