"""Labels that contradict a model, and labels that do not."""

import numpy as np
import pytest

from processors.doubt import Doubt, doubts
from tests.processors.small import card

ODDS = np.log(4)


def labelled(rng, said):
    """Labels as a calibrated model says."""
    return (rng.random(len(said)) < said).tolist()


def test_a_label_speaks_against_an_answer_as_far_as_that_was_sure():
    found = doubts(card(), np.array([0.8, 0.8, 0.5, 0.2]), [True, False, True, True])

    assert found.tolist() == pytest.approx([-ODDS, ODDS, 0.0, ODDS])


def test_the_surest_answers_count_alike_and_one_that_is_none_says_nothing():
    found = doubts(card(), np.array([1.0, 1.0, 0.0, np.nan]), [True, False, True, True])

    assert found.tolist() == [-4.0, 4.0, 4.0, 0.0]


def test_only_binary_answers_can_be_contradicted():
    number = card(task="regression", classes=())

    assert doubts(number, np.array([3.0]), [2.0]).size == 0
    assert doubts(card(), None, [True]).size == 0


def test_labels_that_are_turned_round_are_noticed_within_dozens():
    rng = np.random.default_rng(7)
    said, delays = rng.beta(2, 6, (100, 300)), []
    for answers in said:
        doubt, turned = Doubt(), [not label for label in labelled(rng, answers)]
        found = [doubt.add(one) for one in doubts(card(), answers, turned)[:, None]]
        delays.append(found.index(True))

    assert 20 < np.median(delays) < 60
    assert max(delays) < 150


def test_as_long_as_labels_come_as_was_said_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(7)
    bound, labels = 1000.0, 100_000
    said = rng.beta(2, 6, labels)
    for power in (1.0, 0.25):
        doubt = Doubt(bound, power)
        found = [doubt.add(one) for one in doubts(card(), said, labelled(rng, said))[:, None]]

        assert sum(found) <= labels / bound
