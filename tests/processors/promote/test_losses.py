"""What an answer costs, and the AUC of a stream."""

import numpy as np
import pytest

from modstream.models.errors import PredictError
from modstream.models.schema.input_schema import Batch
from modstream.processors.promote.losses import RankErrors, answers, losses
from tests.processors.small_fixtures import card


def test_a_binary_answer_costs_briers_score():
    found = losses(card(), np.array([0.9, 0.2, np.nan]), [True, True, False])

    assert found.tolist() == pytest.approx([0.01, 0.64, 1.0])


def test_an_answer_of_many_classes_costs_half_of_it():
    many = card(task="multiclass", classes=("a", "b", "c"))

    found = losses(many, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), ["a", "a"])

    assert found.tolist() == [0.0, 1.0]


def test_a_number_costs_its_distance_up_to_a_scale():
    number = card(task="regression", classes=())

    assert losses(number, np.array([3.0, 9.0]), [2.0, 2.0], 4.0).tolist() == [0.25, 1.0]


def test_no_answer_costs_the_most():
    class Failing:
        def predict(self, batch):
            raise PredictError("failing", "always")

    said = answers(Failing(), Batch({}, 2))

    assert said is None
    assert losses(card(), said, [True, False]).tolist() == [1.0, 1.0]


def test_the_mean_rank_error_is_one_less_the_auc():
    rng = np.random.default_rng(7)
    truths = (rng.random(20_000) < 0.3).astype(float)
    scores = rng.normal(truths, 1.0)

    errors = RankErrors()(truths, {"a": scores, "b": -scores})

    assert 5000 < len(errors["a"]) < 7000
    assert errors["a"].mean() == pytest.approx(0.24, abs=0.02)
    assert (errors["a"] + errors["b"] == 1).all()


def test_each_answer_is_compared_once_and_a_tie_is_half_an_error():
    ranked = RankErrors()

    def errors(truths, *scores):
        return ranked(np.array(truths), {"a": np.array(scores)})["a"].tolist()

    assert errors([1.0, 1.0], 0.9, 0.1) == []
    assert errors([0.0, 0.0, 0.0], 0.1, 0.2, 0.3) == [0.5, 0.0]
    assert errors([1.0], 0.2) == [1.0]


def test_an_answer_that_is_none_is_in_the_wrong_order():
    scores = {"a": np.array([0.9, np.nan]), "b": np.array([np.nan, 0.1])}

    assert {n: e.tolist() for n, e in RankErrors()(np.array([1.0, 0.0]), scores).items()} == {
        "a": [1.0], "b": [1.0]
    }  # fmt: skip


def test_pairing_begins_anew_when_others_are_asked():
    ranked = RankErrors()
    ranked(np.array([1.0]), {"a": np.array([0.9])})

    found = ranked(np.array([0.0]), {"a": np.array([0.1]), "b": np.array([0.1])})

    assert [errors.tolist() for errors in found.values()] == [[], []]
