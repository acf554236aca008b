"""What was known before labels contradicted a family, and who goes back to it."""

import pytest

from bench.gate import small_family, synthetic
from processors.doubt import Turn
from processors.gate_settings import GateSettings
from processors.past import Past
from processors.recall import Recall
from tests.processors.test_family import records

ENDED = Turn(is_turned=False, since=50)


@pytest.fixture
def learner():
    family = small_family(GateSettings(), 0.05)
    list(family.absorb(list(records(synthetic(1, 500)))))
    return family.pacer


@pytest.fixture
def recall(learner):
    """What holds the state of a learner that is still sound."""
    past, recall = Past(), Recall(spoilt=0.02)
    past.keep(7, learner.runtime)
    recall.note(500, 7)
    recall.hold(500, {"a": past})
    return recall


def rows(learner, *, turned=False):
    found = [row for row in synthetic(2, 100) if row.is_label]
    batch = learner.card.input_schema.batch([row.features for row in found]).batch
    return batch, [row.truth != turned for row in found]


def test_a_learner_that_learned_what_was_wrong_goes_back(recall, learner):
    batch, labels = rows(learner)
    before = learner.runtime.predict(batch).tolist()
    for _ in range(3):
        learner.runtime.learn(*rows(learner, turned=True))

    recall.judge(ENDED, {"a": learner}, batch, labels)

    ((name, time, state),) = recall.restored()
    assert (name, time) == ("a", 7)
    assert state.predict(batch).tolist() == before
    assert not list(recall.restored())


def test_a_learner_that_answers_as_well_as_before_keeps_what_it_learned(recall, learner):
    recall.judge(ENDED, {"a": learner}, *rows(learner))

    assert not list(recall.restored())


def test_nothing_is_given_up_once_labels_count_as_they_were_told(recall, learner):
    learner.runtime.learn(*rows(learner, turned=True))
    recall.drop()

    recall.judge(ENDED, {"a": learner}, *rows(learner))

    assert not list(recall.restored())


def test_the_newest_version_from_before_is_found(learner):
    recall = Recall(spoilt=0.02)
    assert recall.before(100) is None

    first, none, second = (recall.take_aside(count, learner) for count in (100, 200, 400))

    assert none is None
    assert recall.before(399) is first
    assert recall.before(400) is second
    assert recall.before(50) is first
