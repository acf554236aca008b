"""What the learner learns, and which rows it rejects."""

import math

import pytest

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import JoinedPrediction, Quarantined
from modstream.broker.wire.records import Record
from modstream.models.errors import ArtifactTooLarge, LearnError
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.processors.learn.counts import LearnerCounts
from modstream.processors.learn.learner import Learner
from tests.processors.learn.learner_fixtures import (
    SCHEMA_XY,
    TOPICS,
    feedback,
    labelled_stream,
    make_learner,
    predictions_of,
)
from tests.processors.small_fixtures import make_card, river_model


def test_a_learner_learns_its_feedback():
    learner = make_learner()

    learner.learn_batch(labelled_stream(500))

    rows = SCHEMA_XY.parse_rows([{"x": -2, "y": -2}, {"x": 2, "y": 2}]).batch
    low, high = learner.runtime.predict(rows).tolist()
    assert low < 0.1
    assert high > 0.9
    assert learner.counts == LearnerCounts(learned=500, seen=500)
    assert learner.offsets == {"s.feedback:0": 500}
    assert learner.event_time == 509


def test_the_size_of_batches_does_not_change_the_model():
    records = labelled_stream(300)
    at_once, one_by_one = make_learner(), make_learner()

    at_once.learn_batch(records)
    for record in records:
        one_by_one.learn_batch([record])

    assert predictions_of(at_once) == predictions_of(one_by_one)


def test_the_hook_is_called_with_all_valid_rows_before_any_is_learned():
    learner, calls = make_learner(), []

    def hook(batch, labels, request_times):
        calls.append((batch.size, labels, request_times, learner.counts.learned))

    invalid = feedback(9, {"x": math.nan, "y": 0.0}, True)
    learner.learn_batch([*labelled_stream(3), invalid], hook)

    ((size, labels, request_times, learned),) = calls
    assert (size, len(labels), request_times, learned) == (3, 3, [0, 1, 2], 0)
    assert learner.counts.learned == 3


@pytest.mark.parametrize(
    ("features", "label"),
    [
        ({"x": math.nan, "y": 0.0}, True),
        ({"x": math.inf, "y": 0.0}, True),
        ({"x": 1e300, "y": 0.0}, True),
        ({"x": 0.0, "y": 0.0}, "yes"),
        ({"x": "0", "y": 0.0}, True),
        ({"y": 0.0}, True),
    ],
)
def test_an_invalid_row_is_quarantined_and_does_not_change_the_model(features, label):
    clean, attacked = make_learner(), make_learner()
    records = labelled_stream(200)
    clean.learn_batch(records)

    attacked.learn_batch(records[:100])
    (rejected,) = attacked.learn_batch([feedback(1000, features, label)])
    attacked.learn_batch(records[100:])

    assert predictions_of(attacked) == predictions_of(clean)
    assert rejected.topic == "s.quarantine"
    message = decode(Quarantined, rejected.value)
    assert (message.id, message.source.offset) == ("id-1000", 1000)
    assert attacked.counts.quarantined == 1


def test_without_the_guard_an_invalid_row_ruins_the_model():
    ruined = make_learner()
    ruined.learn_batch(labelled_stream(100))

    ruined.runtime._model.learn_one({"x": math.nan, "y": 0.0}, True)

    assert any(math.isnan(prediction) for prediction in predictions_of(ruined))


def test_an_invalid_row_does_not_affect_other_rows_of_its_batch():
    records = labelled_stream(64)
    invalid = feedback(999, {"x": 1e300, "y": 0.0}, True)
    attacked, clean = make_learner(), make_learner()

    rejected = attacked.learn_batch([*records[:20], invalid, *records[20:]])
    clean.learn_batch(records)

    assert len(rejected) == 1
    assert predictions_of(attacked) == predictions_of(clean)


def test_a_row_that_makes_the_runtime_fail_is_isolated_by_halving():
    class FailsOn13(RiverRuntime):
        def learn(self, batch, labels):
            if 13.0 in batch.columns["x"]:
                raise LearnError("fails_on_13", "13 is not allowed")
            super().learn(batch, labels)

    loaded = river_model(schema=SCHEMA_XY)
    learner = Learner(loaded.card, FailsOn13(loaded.runtime._model, loaded.card), TOPICS)
    rows = [feedback(n, {"x": float(n), "y": 0.0}, n % 2 == 0) for n in range(30)]

    rejected = learner.learn_batch(rows)

    assert [decode(Quarantined, record.value).id for record in rejected] == ["id-13"]
    assert decode(Quarantined, rejected[0].value).rule == "unlearnable"
    assert learner.counts.learned == 29


def test_invalid_feedback_is_quarantined_under_the_id_that_can_be_read():
    broken = Record("s.feedback", 0, 3, b"k", b'{"id":"id-3","label":true}')
    garbage = Record("s.feedback", 1, 4, b"k", b"\x00")

    rejected = make_learner().learn_batch([broken, garbage])

    messages = [decode(Quarantined, record.value) for record in rejected]
    assert [(message.id, message.rule) for message in messages] == [
        ("id-3", "contract_violated"),
        ("1:4", "not_json"),
    ]


def test_feedback_without_features_is_scored_but_not_learned():
    learner = make_learner()

    learner.learn_batch([feedback(0, None, True)])

    assert learner.counts == LearnerCounts(learned=0, seen=1)
    of_model, _ = learner.metrics()
    assert of_model.values["labelled"] == 1


def test_rows_of_another_model_are_skipped_and_do_not_use_up_the_budgets():
    predictions = (JoinedPrediction(model="other", version=1, outputs={"value": 1.0}),)
    foreign = [feedback(n, {"z": 1.0}, True, predictions=predictions) for n in range(400)]
    own = [feedback(400 + n, {"x": 1.0, "y": 1.0}, True) for n in range(50)]
    learner = make_learner()

    assert learner.learn_batch([*foreign, *own]) == []

    assert (learner.counts.learned, learner.counts.seen) == (50, 450)


def test_a_different_row_with_a_known_id_is_quarantined():
    learner, other = make_learner(), make_learner()
    records = labelled_stream(50)
    forged = feedback(7, {"x": 0.5, "y": 0.5}, False)._replace(offset=50)

    (rejected,) = learner.learn_batch([*records, forged])
    other.learn_batch(records)

    assert decode(Quarantined, rejected.value).rule == "duplicate_id"
    assert predictions_of(learner) == predictions_of(other)


def test_an_invalid_time_is_quarantined_and_does_not_advance_the_event_time():
    learner = make_learner()

    (rejected,) = learner.learn_batch([feedback(0, {"x": 0.0, "y": 0.0}, True, label_time=-1)])

    assert decode(Quarantined, rejected.value).rule == "time"
    assert learner.event_time == 0


def test_a_model_that_is_too_large_learns_no_more_and_its_rows_are_quarantined():
    class TooLarge(RiverRuntime):
        def copy(self):
            raise ArtifactTooLarge(2, 1)

    loaded = river_model(schema=SCHEMA_XY)
    learner = Learner(loaded.card, TooLarge(loaded.runtime._model, loaded.card), TOPICS)

    rejected = learner.learn_batch(labelled_stream(20))

    assert {decode(Quarantined, record.value).rule for record in rejected} == {"model_full"}
    assert (len(rejected), learner.counts.learned) == (20, 0)


def test_true_is_a_valid_label_if_the_classes_are_0_and_1():
    runtime = river_model(schema=SCHEMA_XY).runtime
    learner = Learner(make_card(schema=SCHEMA_XY, classes=(0, 1)), runtime, TOPICS)

    assert learner.learn_batch([feedback(0, {"x": 0.0, "y": 0.0}, True)]) == []
