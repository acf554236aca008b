"""What was known before labels contradicted a family, and who goes back to it."""

import pytest

from bench.gate import small_family, synthetic
from modstream.models.errors import PredictError
from modstream.processors.promote.label_flip import Turn
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_history import Past
from modstream.processors.promote.state_rollback import LATEST, Recall
from tests.processors.promote.test_champion_challenger import records

ENDED = Turn(is_turned=False, since=50)


@pytest.fixture
def learner():
    family = small_family(GateSettings(), 0.05)
    list(family.absorb(list(records(synthetic(1, 500)))))
    return family.pacer


@pytest.fixture
def recall(learner):
    """What holds the state of a learner that is still sound."""
    past, recall = Past(), Recall(spoilt=0.05)
    past.keep(7, learner.runtime)
    recall.note(500, 7)
    recall.hold(500, {"a": past})
    return recall


def rows(learner, *, turned=False, count=100):
    found = [row for row in synthetic(2, count) if row.is_label]
    batch = learner.card.input_schema.batch([row.features for row in found]).batch
    return batch, [row.truth != turned for row in found]


def test_a_learner_that_learned_what_was_wrong_goes_back(recall, learner):
    batch, labels = rows(learner)
    before = learner.runtime.predict(batch).tolist()
    for _ in range(3):
        learner.runtime.learn(*rows(learner, turned=True))

    recall.compare({"a": learner}, batch, labels)
    recall.judge(ENDED)

    ((name, time, state),) = recall.restored()
    assert (name, time) == ("a", 7)
    assert state.predict(batch).tolist() == before
    assert not list(recall.restored())


def test_labels_from_before_they_agreed_again_speak_for_nobody(recall, learner):
    for _ in range(3):
        learner.runtime.learn(*rows(learner, turned=True))

    recall.compare({"a": learner}, *rows(learner, turned=True, count=500))
    recall.compare({"a": learner}, *rows(learner, count=LATEST))
    recall.judge(Turn(is_turned=False, since=700))

    assert [name for name, _, _ in recall.restored()] == ["a"]


def test_a_learner_that_fails_now_goes_back_to_when_it_did_not(recall, learner, monkeypatch):
    def fails(_):
        raise PredictError("river", "a drill")

    monkeypatch.setattr(learner.runtime, "predict", fails)

    recall.compare({"a": learner}, *rows(learner))
    recall.judge(ENDED)

    assert [name for name, _, _ in recall.restored()] == ["a"]


def test_a_learner_that_answers_as_well_as_before_keeps_what_it_learned(recall, learner):
    recall.compare({"a": learner}, *rows(learner))
    recall.judge(ENDED)

    assert not list(recall.restored())


def test_nothing_is_given_up_once_labels_count_as_they_were_told(recall, learner):
    learner.runtime.learn(*rows(learner, turned=True))
    recall.drop()

    recall.compare({"a": learner}, *rows(learner))
    recall.judge(ENDED)

    assert not list(recall.restored())


def test_the_newest_version_from_before_is_found(learner):
    recall = Recall(spoilt=0.05)
    assert recall.before(100) is None

    first, none, second = (recall.take_aside(count, learner) for count in (100, 200, 400))

    assert none is None
    assert recall.before(399) is first
    assert recall.before(400) is second
    assert recall.before(50) is first
