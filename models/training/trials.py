"""A trial: a model with its hyperparameters, and what it reached on rows later than its own."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER, compute_metrics
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar

ModelOutputs = FloatArray
"""Binary: the probabilities of the second class (n,). Multiclass: of all (n, c). Regression: the
values (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelTrial:
    """An unfitted estimator and its cross-validation scores, one per fold.

    `stride` says of how many older rows one was fitted on: 1 is all of them. `seconds` is the
    processor time. `outputs` are the predictions of the scored rows of all folds, in order.
    `final_model` is the fitted model that weighs the members of a stack.
    """

    kind: str
    hyperparameters: Mapping[str, Any]
    estimator: BaseEstimator
    scores: tuple[float, ...]
    stride: int = 1
    seconds: float = 0.0
    outputs: ModelOutputs = field(default_factory=lambda: np.empty(0))
    members: tuple["ModelTrial", ...] = ()
    final_model: BaseEstimator | None = None

    @property
    def mean_score(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.scores)) if self.scores else float("nan")

    @property
    def score_deviation(self) -> float:
        """The standard deviation over the folds."""
        return float(np.std(self.scores)) if self.scores else float("nan")

    @property
    def name(self) -> str:
        """The kind, and for an ensemble those of its members."""
        if not self.members:
            return self.kind
        return f"{self.kind} of {', '.join(one.kind for one in self.members)}"


def rank_trials(trials: Sequence[ModelTrial], metric: str) -> list[ModelTrial]:
    """Return the trials, the best first: those on most rows, and among them by mean score."""
    sign = -1 if metric in HIGHER_IS_BETTER else 1

    def order(trial: ModelTrial) -> tuple[int, bool, float]:
        score = trial.mean_score
        return trial.stride, bool(np.isnan(score)), sign * score

    return sorted(trials, key=order)


@contextmanager
def fitting(threads: int) -> Iterator[None]:
    """Fit models with a number of threads; one that does not converge is a worse one, no error."""
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def compute_outputs(model: BaseEstimator, matrix: FloatArray, task: Task) -> ModelOutputs:
    """Return what a fitted model predicts for encoded rows (n, k)."""
    if task == "regression":
        return np.asarray(model.predict(matrix), dtype=np.float64)
    probabilities = np.asarray(model.predict_proba(matrix), dtype=np.float64)
    return probabilities[:, 1] if task == "binary" else probabilities


def as_predictions(outputs: ModelOutputs, task: Task) -> list[Any]:
    """Return outputs as `compute_metrics` expects them; see `LabelledDataset.metric_labels`."""
    rows: list[Any] = outputs.tolist()
    if task != "multiclass":
        return rows
    positions = list(map(str, range(outputs.shape[1])))
    return [dict(zip(positions, row, strict=True)) for row in rows]


def score_outputs(
    targets: NDArray[Any], outputs: ModelOutputs, task: Task, metric: str
) -> float | None:
    """Return a metric of outputs; None if it is undefined for the targets (n,)."""
    labels: list[Scalar] = targets.tolist()
    if task == "multiclass":
        labels = list(map(str, labels))
    return compute_metrics(labels, as_predictions(outputs, task), task, metric).get(metric)
