"""Metrics against values computed by hand."""

import numpy as np
import pytest

from modstream.models.evaluation.metrics import (
    HIGHER_IS_BETTER,
    compute_metrics,
    smape,
)


def test_binary_probabilities_have_auc_log_loss_and_accuracy():
    found = compute_metrics([0, 1, 1, 0], [0.1, 0.9, 0.4, 0.6], "binary")

    likelihoods = [0.9, 0.9, 0.4, 0.4]
    expected = {"auc": 0.75, "log_loss": -np.mean(np.log(likelihoods)), "accuracy": 0.5}
    assert found == pytest.approx(expected)


def test_class_probabilities_have_accuracy_macro_f1_and_log_loss():
    predictions = [{"a": 0.7, "b": 0.2, "c": 0.1}, {"a": 0.5, "b": 0.3, "c": 0.2}]

    found = compute_metrics(["a", "b"], predictions, "multiclass")

    expected = {"accuracy": 0.5, "macro_f1": 1 / 3, "log_loss": -np.mean(np.log([0.7, 0.3]))}
    assert found == pytest.approx(expected)


def test_a_label_outside_the_classes_counts_as_probability_zero():
    found = compute_metrics(["z"], [{"a": 0.5, "b": 0.5}], "multiclass")

    assert found["accuracy"] == 0.0
    assert found["log_loss"] > 30


def test_classes_without_probabilities_have_no_log_loss():
    found = compute_metrics(["a", "b"], ["a", "a"], "multiclass")

    assert found == pytest.approx({"accuracy": 0.5, "macro_f1": 1 / 3})


def test_numeric_labels_match_classes_named_as_strings():
    assert compute_metrics([2], [{"1": 0.1, "2": 0.9}], "multiclass")["accuracy"] == 1.0


def test_regression_values_have_mae_rmse_and_r2():
    found = compute_metrics([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], "regression")

    assert found == pytest.approx({"mae": 2 / 3, "rmse": (4 / 3) ** 0.5, "r2": -1.0})


def test_one_value_has_no_r2():
    assert compute_metrics([1.0], [2.0], "regression") == {"mae": 1.0, "rmse": 1.0}


def test_anomaly_scores_have_auc_only():
    assert compute_metrics([False, True, False], [3.0, 90.0, 4.0], "anomaly") == {"auc": 1.0}
    assert compute_metrics([False, False], [3.0, 90.0], "anomaly") == {}


def test_a_forecast_is_scored_over_all_steps_and_by_step():
    found = compute_metrics([10.0, 10.0, 20.0], [(1, 11.0), (1, 9.0), (2, 25.0)], "forecast")

    assert found["mae"] == pytest.approx(7 / 3)
    assert (found["mae_1"], found["mae_2"]) == (1.0, 5.0)
    assert found["smape_2"] == pytest.approx(200 * 5 / 45)


def test_smape_of_two_zeros_is_zero():
    assert smape(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0.0


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "anomaly", "forecast"])
def test_no_rows_have_no_metrics(task):
    assert compute_metrics([], [], task) == {}


def test_a_single_metric_can_be_computed():
    assert compute_metrics([0, 1], [0.1, 0.9], "binary", "auc") == {"auc": 1.0}
    assert compute_metrics([1.0, 2.0], [1.0, 2.5], "regression", "mae") == {"mae": 0.25}


def test_every_metric_is_known_as_better_when_higher_or_lower():
    found = {
        *compute_metrics([0, 1], [0.1, 0.9], "binary"),
        *compute_metrics(["a"], [{"a": 0.9, "b": 0.1}], "multiclass"),
        *compute_metrics([1.0, 2.0], [1.0, 2.5], "regression"),
        "smape",
    }

    lower_is_better = {"log_loss", "mae", "rmse", "smape"}
    assert found == HIGHER_IS_BETTER | lower_is_better
