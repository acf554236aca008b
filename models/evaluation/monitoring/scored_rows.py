"""Rows with a label and a prediction, and the loss of each."""

from dataclasses import dataclass

import numpy as np

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.metrics import accuracy, auc
from modstream.models.evaluation.monitoring.features import Selection
from modstream.models.schema.card import Task

LOSS_NAMES = {"binary": "log loss", "multiclass": "error rate", "regression": "MAE"}
"""The tasks that are monitored, with the names of their mean losses."""


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Labels and predictions, (n,), as numbers.

    Binary: 0 or 1, and the probability of 1. Multiclass: positions of classes. Regression: values.
    `task` is a key of `LOSS_NAMES`.
    """

    task: Task
    labels: FloatArray
    predictions: FloatArray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Selection) -> "ScoredRows":
        """Return some rows."""
        return ScoredRows(self.task, self.labels[rows], self.predictions[rows])

    def losses(self) -> FloatArray:
        """Return the loss of each row, (n,): log loss in nats, error 0 or 1, absolute error."""
        losses: FloatArray
        if self.task == "binary":
            likelihood = np.where(self.labels > 0, self.predictions, 1 - self.predictions)
            losses = -np.log(np.maximum(likelihood, np.finfo(np.float64).eps))
        elif self.task == "multiclass":
            losses = (self.labels != self.predictions).astype(np.float64)
        else:
            losses = np.abs(self.labels - self.predictions)
        return losses

    def metrics(self) -> dict[str, float]:
        """Return metrics by name, without those that are not defined.

        Binary: accuracy, AUC, and the means of labels and predictions. Multiclass: accuracy.
        Regression: the means.
        """
        if not len(self):
            return {}
        found: dict[str, float] = {}
        if self.task == "binary":
            found["accuracy"] = accuracy(self.labels, self.predictions)
            found["auc"] = auc(self.labels, self.predictions)
        if self.task == "multiclass":
            found["accuracy"] = float(np.mean(self.labels == self.predictions))
        else:
            found["observed"] = float(np.mean(self.labels))
            found["predicted"] = float(np.mean(self.predictions))
        return {name: value for name, value in found.items() if np.isfinite(value)}
