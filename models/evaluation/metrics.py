"""How good answers were, once the truth is known. scikit-learn's own definitions where it has them.

What is undefined (the AUC of one class, the R2 of one value) is NaN, or left out of figures.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Scalar

Values = npt.NDArray[np.float64]
Answer = Scalar | Mapping[str, float] | tuple[int, float]
"""A number; a class, or the probability by class; of a forecast a step and its value."""

Only = str | None
"""The one figure that is wanted, by name; None: all."""

Figures = Callable[[Sequence[Scalar], Sequence[Any], Only], dict[str, float]]

HIGHER_IS_BETTER = frozenset({"auc", "accuracy", "macro_f1", "r2"})
LOWER_IS_BETTER = frozenset({"log_loss", "mae", "rmse", "smape"})


def auc(labels: Values, scores: Values) -> float:
    """Area under the ROC curve of binary labels (n,) and scores (n,); NaN with one class only."""
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(metrics.roc_auc_score(labels, scores))


def log_loss(labels: Values, scores: Values) -> float:
    """Mean negative log-likelihood, in nats, of binary labels (n,) under probabilities (n,)."""
    if not len(labels):
        return float("nan")
    return float(metrics.log_loss(labels, scores, labels=[0, 1]))


def accuracy(labels: Values, scores: Values) -> float:
    """Share of binary labels (n,) on the right side of probability 0.5."""
    if not len(labels):
        return float("nan")
    return float(np.mean((scores >= 0.5) == (labels >= 0.5)))


def smape(labels: Values, values: Values) -> float:
    """Symmetric mean absolute percentage error, 0 to 200, of values (n,); 0 where both are 0.

    Source: S. Makridakis, "Accuracy measures", Int. J. of Forecasting 9 (1993).
    """
    if not len(labels):
        return float("nan")
    scale = np.abs(labels) + np.abs(values)
    return float(200 * np.mean(np.abs(labels - values) / np.where(scale == 0, 1, scale)))


def binary(labels: Values, scores: Values, only: Only = None) -> dict[str, float]:
    """AUC, log loss and accuracy of probabilities (n,) against labels of 0 and 1 (n,)."""
    return _defined(
        only,
        auc=lambda: auc(labels, scores),
        log_loss=lambda: log_loss(labels, scores),
        accuracy=lambda: accuracy(labels, scores),
    )


def multiclass(
    truths: Sequence[str], probabilities: Values, classes: Sequence[str], only: Only = None
) -> dict[str, float]:
    """Accuracy, macro-averaged F1 and log loss (nats) of probabilities (n, k) of named classes.

    A truth that is none of the classes had the probability 0.
    """
    if not truths:
        return {}
    said = [classes[place] for place in probabilities.argmax(axis=1).tolist()]
    known = sorted({*classes, *truths})
    full = np.zeros((len(truths), len(known)))
    full[:, [known.index(name) for name in classes]] = probabilities
    return _defined(
        only,
        accuracy=lambda: metrics.accuracy_score(truths, said),
        macro_f1=lambda: metrics.f1_score(truths, said, average="macro", zero_division=0),
        log_loss=lambda: metrics.log_loss(truths, full, labels=known),
    )


def regression(labels: Values, values: Values, only: Only = None) -> dict[str, float]:
    """Mean absolute error, root mean squared error and R2 of values (n,) against true ones."""
    if not len(labels):
        return {}
    spread = len(labels) > 1 and float(np.ptp(labels)) > 0
    return _defined(
        only,
        mae=lambda: metrics.mean_absolute_error(labels, values),
        rmse=lambda: metrics.root_mean_squared_error(labels, values),
        r2=lambda: metrics.r2_score(labels, values) if spread else float("nan"),
    )


def forecast(labels: Values, answers: Sequence[tuple[int, float]]) -> dict[str, float]:
    """MAE and SMAPE of forecasts, over all steps and by step: `mae`, `smape`, `mae_1`, ..."""
    steps: dict[int, list[int]] = defaultdict(list)
    for place, (step, _) in enumerate(answers):
        steps[step].append(place)
    values = np.array([value for _, value in answers], dtype=float)
    found = _errors("", labels, values)
    for step, places in sorted(steps.items()):
        found |= _errors(f"_{step}", labels[places], values[places])
    return found


def figures(
    truths: Sequence[Scalar], answers: Sequence[Any], task: Task, only: Only = None
) -> dict[str, float]:
    """The figures that fit a task, over pairs of truth and `Answer`."""
    return _FIGURES[task](truths, answers, only)


def _of_numbers(score: Callable[[Values, Values, Only], dict[str, float]]) -> Figures:
    return lambda truths, answers, only: score(_numbers(truths), _numbers(answers), only)


def _of_classes(truths: Sequence[Scalar], answers: Sequence[Any], only: Only) -> dict[str, float]:
    """Of probabilities by class all figures, of classes alone those that need no more."""
    if not all(isinstance(answer, Mapping) for answer in answers):
        return _of_labels(truths, answers)
    classes = sorted({name for answer in answers for name in answer})
    rows = [[answer.get(name, 0.0) for name in classes] for answer in answers]
    return multiclass([str(truth) for truth in truths], np.array(rows, float), classes, only)


def _of_labels(truths: Sequence[Scalar], answers: Sequence[Scalar]) -> dict[str, float]:
    true, said = [str(truth) for truth in truths], [str(answer) for answer in answers]
    return {
        "accuracy": float(metrics.accuracy_score(true, said)),
        "macro_f1": float(metrics.f1_score(true, said, average="macro", zero_division=0)),
    }


def _of_steps(
    truths: Sequence[Scalar], answers: Sequence[tuple[int, float]], _only: Only
) -> dict[str, float]:
    return forecast(_numbers(truths), answers)


def _anomaly(labels: Values, scores: Values, only: Only) -> dict[str, float]:
    return _defined(only, auc=lambda: auc(labels, scores))


def _errors(suffix: str, labels: Values, values: Values) -> dict[str, float]:
    if not len(labels):
        return {}
    absolute = float(np.mean(np.abs(labels - values)))
    return {f"mae{suffix}": absolute, f"smape{suffix}": smape(labels, values)}


def _numbers(values: Sequence[Any]) -> Values:
    return np.asarray(values, dtype=float)


def _defined(only: Only, **scores: Callable[[], float]) -> dict[str, float]:
    wanted = scores if only is None else {only: scores[only]}
    found = {name: float(score()) for name, score in wanted.items()}
    return {name: value for name, value in found.items() if np.isfinite(value)}


_FIGURES: Mapping[Task, Figures] = MappingProxyType(
    {
        "binary": _of_numbers(binary),
        "multiclass": _of_classes,
        "regression": _of_numbers(regression),
        "anomaly": _of_numbers(_anomaly),
        "forecast": _of_steps,
    }
)
