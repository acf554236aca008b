"""Figures against values computed by hand."""

import numpy as np
import pytest

from modstream.models.evaluation.metrics import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    figures,
    multiclass,
    smape,
)


def test_probabilities_are_scored_by_rank_likelihood_and_side():
    found = figures([0, 1, 1, 0], [0.1, 0.9, 0.4, 0.6], "binary")

    likelihoods = [0.9, 0.9, 0.4, 0.4]
    expected = {"auc": 0.75, "log_loss": -np.mean(np.log(likelihoods)), "accuracy": 0.5}
    assert found == pytest.approx(expected)


def test_classes_are_scored_by_their_probabilities():
    answers = [{"a": 0.7, "b": 0.2, "c": 0.1}, {"a": 0.5, "b": 0.3, "c": 0.2}]

    found = figures(["a", "b"], answers, "multiclass")

    expected = {"accuracy": 0.5, "macro_f1": 1 / 3, "log_loss": -np.mean(np.log([0.7, 0.3]))}
    assert found == pytest.approx(expected)


def test_a_truth_that_is_no_known_class_had_no_probability():
    found = multiclass(["z"], np.array([[0.5, 0.5]]), ["a", "b"])

    assert found["accuracy"] == 0.0
    assert found["log_loss"] > 30


def test_classes_without_probabilities_have_no_likelihood():
    found = figures(["a", "b"], ["a", "a"], "multiclass")

    assert found == pytest.approx({"accuracy": 0.5, "macro_f1": 1 / 3})


def test_classes_may_be_numbers_in_the_truth_and_words_in_the_answer():
    assert figures([2], [{"1": 0.1, "2": 0.9}], "multiclass")["accuracy"] == 1.0


def test_values_are_scored_by_their_errors():
    found = figures([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], "regression")

    assert found == pytest.approx({"mae": 2 / 3, "rmse": (4 / 3) ** 0.5, "r2": -1.0})


def test_one_value_has_errors_and_no_r2():
    assert figures([1.0], [2.0], "regression") == {"mae": 1.0, "rmse": 1.0}


def test_anomaly_scores_are_only_ranked():
    assert figures([False, True, False], [3.0, 90.0, 4.0], "anomaly") == {"auc": 1.0}
    assert figures([False, False], [3.0, 90.0], "anomaly") == {}


def test_a_forecast_is_scored_over_all_steps_and_by_step():
    found = figures([10.0, 10.0, 20.0], [(1, 11.0), (1, 9.0), (2, 25.0)], "forecast")

    assert found["mae"] == pytest.approx(7 / 3)
    assert (found["mae_1"], found["mae_2"]) == (1.0, 5.0)
    assert found["smape_2"] == pytest.approx(200 * 5 / 45)


def test_a_right_forecast_of_nothing_is_no_error():
    assert smape(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0.0


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "anomaly", "forecast"])
def test_nothing_has_no_figures(task):
    assert figures([], [], task) == {}


def test_one_figure_can_be_asked_for_alone():
    assert figures([0, 1], [0.1, 0.9], "binary", "auc") == {"auc": 1.0}
    assert figures([1.0, 2.0], [1.0, 2.5], "regression", "mae") == {"mae": 0.25}


def test_every_figure_knows_its_better_side():
    found = {
        *figures([0, 1], [0.1, 0.9], "binary"),
        *figures(["a"], [{"a": 0.9, "b": 0.1}], "multiclass"),
        *figures([1.0, 2.0], [1.0, 2.5], "regression"),
        "smape",
    }

    assert found == HIGHER_IS_BETTER | LOWER_IS_BETTER
