"""How good probabilities were, once the truth is known. scikit-learn's own definitions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from models.card import Task
from models.schema import Scalar

Values = npt.NDArray[np.float64]


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


def squared_error(labels: Values, values: Values) -> float:
    """Mean squared error of values (n,) against true ones (n,)."""
    if not len(labels):
        return float("nan")
    return float(np.mean((values - labels) ** 2))


def figures(truths: Sequence[Scalar], answers: Sequence[Scalar], task: Task) -> dict[str, float]:
    """The figures that fit a task, over pairs of truth and answer; what is undefined is left out.

    Answers are probabilities of a binary task, labels of a multiclass one, values of a regression.
    """
    if task == "multiclass":
        return {"accuracy": float(np.mean([t == a for t, a in zip(truths, answers, strict=True)]))}
    true, said = np.asarray(truths, dtype=float), np.asarray(answers, dtype=float)
    if task == "regression":
        return {"squared_error": squared_error(true, said)}
    found = {
        "auc": auc(true, said),
        "log_loss": log_loss(true, said),
        "accuracy": accuracy(true, said),
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}
