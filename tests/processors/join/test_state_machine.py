"""The rules of the late-label join of one id."""

import pytest

from modstream.broker.wire.bounds import LAST_REVISION
from modstream.processors.join.entry import JoinState, expiry_time
from modstream.processors.join.state_machine import expire, on_label
from modstream.processors.join.state_machine import on_prediction as on_row
from modstream.processors.join.transitions import Arrival, JoinCounter
from tests.processors.join.join_log import FEATURES, HORIZON, label, prediction, row_prediction


def arrival(offset, key=b"key"):
    return Arrival(offset, key, timestamp=7)


def on_prediction(entry, message, at):
    return on_row(entry, row_prediction(message), at)


def waiting_prediction(**fields):
    return on_prediction(None, prediction(**fields), arrival(0)).entry


def joined_entry(**fields):
    return on_label(waiting_prediction(**fields), label(), arrival(0)).entry


def test_label_after_its_prediction_is_joined():
    waiting = waiting_prediction(at=20, features=FEATURES)

    transition = on_label(waiting, label(value=True, at=50), arrival(0))

    assert transition.counter is JoinCounter.JOINED
    assert transition.outputs[0].label is True
    assert transition.outputs[0].features == FEATURES
    assert [(p.model, p.version) for p in transition.outputs[0].predictions] == [("online", 3)]
    assert (transition.outputs[0].event_time, transition.outputs[0].label_time) == (20, 50)


def test_label_before_its_prediction_waits_for_it():
    waiting = on_label(None, label(), arrival(0))

    transition = on_prediction(waiting.entry, prediction(features=FEATURES), arrival(0))

    assert waiting.outputs == ()
    assert transition.counter is JoinCounter.JOINED
    assert transition.outputs[0].features == FEATURES


def test_label_is_joined_with_all_predictions_so_far():
    both = on_prediction(waiting_prediction(), prediction(model="frozen"), arrival(1)).entry

    transition = on_label(both, label(), arrival(0))

    assert [scored.model for scored in transition.outputs[0].predictions] == ["online", "frozen"]


def test_prediction_after_the_join_is_published_alone_and_not_counted_as_a_label():
    joined = joined_entry(features=FEATURES)

    transition = on_prediction(joined, prediction(model="frozen"), arrival(1))

    assert [scored.model for scored in transition.outputs[0].predictions] == ["frozen"]
    assert transition.outputs[0].features is None
    assert transition.counter is None


def test_late_features_are_published_once():
    joined = joined_entry(model="frozen", features=None)

    first = on_prediction(joined, prediction(model="online", features=FEATURES), arrival(1))
    second = on_prediction(first.entry, prediction(model="other", features=FEATURES), arrival(2))

    assert first.outputs[0].features == FEATURES
    assert second.outputs[0].features is None


def test_prediction_without_event_time_has_the_timestamp_of_its_record():
    without_time = prediction().model_copy(update={"event_time": None})

    transition = on_prediction(None, without_time, arrival(0))

    assert transition.entry.event_time == 7


def test_prediction_without_a_label_within_the_horizon_is_missing():
    waiting = waiting_prediction(at=20)

    before_expiry = expire(waiting, 20 + HORIZON, HORIZON)
    transition = expire(waiting, 21 + HORIZON, HORIZON)

    assert before_expiry.entry is waiting
    assert (transition.counter, transition.entry.state) == (JoinCounter.MISSING, JoinState.GIVEN_UP)
    assert transition.outputs[0].event_time == 20


def test_label_of_a_given_up_prediction_is_late():
    given_up = expire(waiting_prediction(), HORIZON + 1, HORIZON).entry

    transition = on_label(given_up, label(), arrival(0))

    assert (transition.counter, transition.outputs[0].reason) == (JoinCounter.LATE, "late")


def test_given_up_entry_is_dropped_after_another_horizon():
    given_up = expire(waiting_prediction(), HORIZON + 1, HORIZON).entry

    assert expire(given_up, 2 * HORIZON, HORIZON).entry is given_up
    assert expire(given_up, 2 * HORIZON + 1, HORIZON).entry is None


def test_label_without_a_prediction_within_the_horizon_is_an_orphan():
    waiting = on_label(None, label(at=50), arrival(0)).entry

    transition = expire(waiting, 51 + HORIZON, HORIZON)

    assert (transition.counter, transition.outputs[0].label_time) == (JoinCounter.ORPHAN, 50)
    assert transition.entry is None


def test_repeated_label_is_a_duplicate():
    transition = on_label(joined_entry(), label(), arrival(1))

    assert (transition.counter, transition.outputs[0].reason) == (
        JoinCounter.DUPLICATE,
        "duplicate",
    )


@pytest.mark.parametrize(
    ("value", "revision", "counter"),
    [
        ("no", 1, JoinCounter.REVISED),
        ("yes", 1, JoinCounter.REVISED),
        ("no", 0, JoinCounter.REVISED),
    ],
)
def test_other_value_or_higher_revision_revises_a_label(value, revision, counter):
    transition = on_label(joined_entry(), label(value=value, revision=revision), arrival(1))

    assert transition.counter is counter
    assert transition.outputs[0].label == value


def test_lower_revision_is_a_duplicate_with_any_value():
    revised = on_label(joined_entry(), label(revision=2), arrival(1)).entry

    transition = on_label(revised, label(value="no", revision=1), arrival(2))

    assert transition.counter is JoinCounter.DUPLICATE


def test_a_label_of_the_highest_revision_is_corrected_by_another_one_of_it():
    highest = on_label(joined_entry(), label(value=True, revision=LAST_REVISION), arrival(1)).entry

    mistaken = on_label(highest, label(value=False, revision=7), arrival(2))
    corrected = on_label(highest, label(value=False, revision=LAST_REVISION), arrival(2))
    again = on_label(corrected.entry, label(value=True, revision=LAST_REVISION), arrival(3))

    assert mistaken.counter is JoinCounter.DUPLICATE
    assert [one.counter for one in (corrected, again)] == [JoinCounter.REVISED] * 2
    assert [one.outputs[1].label for one in (corrected, again)] == [False, True]


def test_label_revised_before_its_prediction_is_joined_with_its_last_value():
    waiting = on_label(None, label(value="yes"), arrival(0)).entry
    revised = on_label(waiting, label(value="no", revision=1), arrival(1)).entry

    transition = on_prediction(revised, prediction(), arrival(0))

    assert transition.outputs[0].label == "no"


def test_record_with_an_offset_seen_before_changes_nothing():
    joined = joined_entry()

    assert on_label(joined, label(), arrival(0)) == (joined, (), JoinCounter.REPLAYED)
    assert on_prediction(joined, prediction(), arrival(0)) == (joined, (), JoinCounter.REPLAYED)


def test_second_prediction_of_a_model_is_not_joined():
    transition = on_prediction(joined_entry(), prediction(), arrival(9))

    assert (transition.outputs, transition.counter) == ((), JoinCounter.REPLAYED)


def test_expiry_time_depends_on_the_newest_side():
    joined = on_label(waiting_prediction(at=80), label(at=30), arrival(0)).entry

    assert expiry_time(joined, HORIZON) == 80 + HORIZON
