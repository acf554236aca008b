"""Metrics of predictions against their labels, by task, as scikit-learn defines them.

An undefined metric (the AUC of one class, the R2 of one value) is NaN, or left out of a dictionary
of metrics.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar

PredictedValue = Scalar | Mapping[str, float] | tuple[int, float]
"""The prediction for one row, by task.

Binary: the probability of the positive class. Multiclass: the probability by class, or the class
alone. Regression: the value. Anomaly: the score. Forecast: the step ahead and its value.
"""

MetricFunction = Callable[[Sequence[Scalar], Sequence[Any], str | None], dict[str, float]]
"""Computes metrics by name from labels, predictions, and the name of the only one wanted."""

HIGHER_IS_BETTER = frozenset({"auc", "accuracy", "macro_f1", "r2"})
"""The metrics of which a higher value is better; of all others a lower one is."""


def _library() -> Any:  # noqa: ANN401 - a module
    """Return scikit-learn's metrics; most commands compute none, and the import takes a second."""
    return import_module("sklearn.metrics")


def auc(labels: FloatArray, scores: FloatArray) -> float:
    """Return the area under the ROC curve of binary labels (n,) and scores (n,).

    The result is NaN if all labels are the same.
    """
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(_library().roc_auc_score(labels, scores))


def log_loss(labels: FloatArray, scores: FloatArray) -> float:
    """Return the mean negative log-likelihood, in nats, of binary labels (n,).

    `scores` (n,) are probabilities of the positive class. The result is NaN without rows.
    """
    if not len(labels):
        return float("nan")
    return float(_library().log_loss(labels, scores, labels=[0, 1]))


def accuracy(labels: FloatArray, scores: FloatArray) -> float:
    """Return the share of binary labels (n,) on the same side of 0.5 as their probability (n,).

    The result is NaN without rows.
    """
    if not len(labels):
        return float("nan")
    return float(np.mean((scores >= 0.5) == (labels >= 0.5)))


def smape(labels: FloatArray, values: FloatArray) -> float:
    """Return the symmetric mean absolute percentage error, 0 to 200, of values (n,).

    A row whose label and value are both 0 has the error 0. The result is NaN without rows.
    Source: S. Makridakis, "Accuracy measures", Int. J. of Forecasting 9 (1993).
    """
    if not len(labels):
        return float("nan")
    scale = np.abs(labels) + np.abs(values)
    return float(200 * np.mean(np.abs(labels - values) / np.where(scale == 0, 1, scale)))


def compute_metrics(
    labels: Sequence[Scalar], predictions: Sequence[Any], task: Task, only: str | None = None
) -> dict[str, float]:
    """Return the task's metrics by name, over pairs of a label and a `PredictedValue`.

    `only` names the one metric to compute; by default all of them are. Undefined ones are left out.
    """
    if task not in _METRICS_BY_TASK:
        return {}
    with np.errstate(all="ignore"):
        return _METRICS_BY_TASK[task](labels, predictions, only)


def binary_metrics(
    labels: FloatArray, scores: FloatArray, only: str | None = None
) -> dict[str, float]:
    """Return AUC, log loss (nats) and accuracy of probabilities (n,) for labels 0 and 1 (n,)."""
    return _finite_metrics(
        only,
        auc=lambda: auc(labels, scores),
        log_loss=lambda: log_loss(labels, scores),
        accuracy=lambda: accuracy(labels, scores),
    )


def regression_metrics(
    labels: FloatArray, values: FloatArray, only: str | None = None
) -> dict[str, float]:
    """Return mean absolute error, root mean squared error and R2 of values (n,)."""
    if not len(labels):
        return {}
    has_variance = len(labels) > 1 and float(np.ptp(labels)) > 0
    return _finite_metrics(
        only,
        mae=lambda: _library().mean_absolute_error(labels, values),
        rmse=lambda: _library().root_mean_squared_error(labels, values),
        r2=lambda: _library().r2_score(labels, values) if has_variance else float("nan"),
    )


def forecast_metrics(
    labels: FloatArray, predictions: Sequence[tuple[int, float]]
) -> dict[str, float]:
    """Return MAE and SMAPE of forecasts, over all steps and by step: `mae`, `smape`, `mae_1`, ...

    Each prediction is the number of steps ahead and the value.
    """
    rows_by_step: dict[int, list[int]] = defaultdict(list)
    for row, (step, _) in enumerate(predictions):
        rows_by_step[step].append(row)
    values = np.array([value for _, value in predictions], dtype=float)
    found = _forecast_errors("", labels, values)
    for step, rows in sorted(rows_by_step.items()):
        found |= _forecast_errors(f"_{step}", labels[rows], values[rows])
    return found


def _forecast_errors(suffix: str, labels: FloatArray, values: FloatArray) -> dict[str, float]:
    if not len(labels):
        return {}
    mae = float(np.mean(np.abs(labels - values)))
    return {f"mae{suffix}": mae, f"smape{suffix}": smape(labels, values)}


def _class_metrics(
    labels: Sequence[Scalar], predictions: Sequence[Any], only: str | None
) -> dict[str, float]:
    """Return all metrics for probabilities by class, or those that need no probabilities.

    A class that a mapping lacks has the probability 0.
    """
    if not labels:
        return {}
    true = list(map(str, labels))
    has_probabilities = all(isinstance(prediction, Mapping) for prediction in predictions)
    predicted = [
        str(most_probable(one) if isinstance(one, Mapping) else one) for one in predictions
    ]
    scores: dict[str, Callable[[], float]] = {
        "accuracy": lambda: _library().accuracy_score(true, predicted),
        "macro_f1": lambda: _library().f1_score(true, predicted, average="macro", zero_division=0),
    }
    if has_probabilities:
        likelihoods = [one.get(name, 0.0) for name, one in zip(true, predictions, strict=True)]
        scores["log_loss"] = lambda: mean_negative_log(np.array(likelihoods, float))
    return _finite_metrics(only, **scores)


def most_probable(probabilities: Mapping[str, float]) -> str:
    """Return the most probable class; of several equal ones the first."""
    return max(probabilities, key=lambda name: probabilities[name])


def mean_negative_log(likelihoods: FloatArray) -> float:
    """Return the mean negative logarithm of likelihoods (n,), which are kept away from 0 and 1."""
    smallest = np.finfo(np.float64).eps
    return float(-np.log(np.clip(likelihoods, smallest, 1 - smallest)).mean())


def _step_metrics(
    labels: Sequence[Scalar], predictions: Sequence[tuple[int, float]], _only: str | None
) -> dict[str, float]:
    return forecast_metrics(_float_array(labels), predictions)


def _anomaly_metrics(labels: FloatArray, scores: FloatArray, only: str | None) -> dict[str, float]:
    return _finite_metrics(only, auc=lambda: auc(labels, scores))


def _on_arrays(
    score: Callable[[FloatArray, FloatArray, str | None], dict[str, float]],
) -> MetricFunction:
    """Return `score` for sequences instead of arrays."""
    return lambda labels, predictions, only: score(
        _float_array(labels), _float_array(predictions), only
    )


def _float_array(values: Sequence[Any]) -> FloatArray:
    return np.asarray(values, dtype=float)


def _finite_metrics(only: str | None, **scores: Callable[[], float]) -> dict[str, float]:
    """Compute all metrics, or `only` one, and leave out those that are not finite."""
    found = {name: float(score()) for name, score in scores.items() if only in (None, name)}
    return {name: value for name, value in found.items() if np.isfinite(value)}


_METRICS_BY_TASK: Mapping[Task, MetricFunction] = MappingProxyType(
    {
        "binary": _on_arrays(binary_metrics),
        "multiclass": _class_metrics,
        "regression": _on_arrays(regression_metrics),
        "anomaly": _on_arrays(_anomaly_metrics),
        "forecast": _step_metrics,
    }
)
