"""The acceptance of a challenger: against a threshold, and against the champion."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import bootstrap

from modstream.models.evaluation.metrics import HIGHER_IS_BETTER, PredictedValue, compute_metrics
from modstream.models.schema.card import Task
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.errors import UnknownMetric
from modstream.models.training.settings import TrainSettings

SELECTION_METRICS: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "binary": ("auc", "log_loss", "accuracy"),
        "multiclass": ("accuracy", "macro_f1", "log_loss"),
        "regression": ("r2", "mae", "rmse"),
    }
)
"""The metrics that may decide, by task; the first one is the default."""
MIN_COMPARED_ROWS = 30
"""Smallest number of rows predicted by the champion from which a comparison is meaningful."""


class ConfidenceInterval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


def selection_metric(task: Task, requested: str) -> str:
    """Return the metric that decides: the requested one, or the task's default if it is empty.

    Raises:
        UnknownMetric: the requested metric is not a metric of this task.
    """
    if requested and requested not in SELECTION_METRICS[task]:
        raise UnknownMetric(requested, SELECTION_METRICS[task])
    return requested or SELECTION_METRICS[task][0]


def compare_with_champion(
    dataset: LabelledDataset,
    predictions: Sequence[PredictedValue],
    metric: str,
    settings: TrainSettings,
) -> tuple[dict[str, float], dict[str, float], ConfidenceInterval | None]:
    """Compare champion and challenger on the rows that the champion predicted at serving time.

    The champion is judged by those predictions and not by new ones, as an online learner has
    learned these rows since. `predictions` are the challenger's, one per row.

    Returns:
        The champion's metrics, the challenger's metrics, and the confidence interval of the
        challenger's improvement by `metric`, positive if the challenger is better. It is a paired
        bootstrap's (B. Efron, "Bootstrap methods", Ann. Stat. 7, 1979). With fewer than
        `MIN_COMPARED_ROWS` rows: ({}, {}, None).
    """
    rows = [row for row, served in enumerate(dataset.served) if served is not None]
    if len(rows) < MIN_COMPARED_ROWS:
        return {}, {}, None
    labels = dataset.take(rows).metric_labels()
    champion, challenger = [dataset.served[row] for row in rows], [predictions[row] for row in rows]
    task, sign = dataset.card.task, 1.0 if metric in HIGHER_IS_BETTER else -1.0

    def gain(sample: Any) -> float:  # noqa: ANN401 - scipy's array of positions
        chosen = [int(index) for index in sample]
        truth = [labels[index] for index in chosen]
        new = compute_metrics(truth, [challenger[index] for index in chosen], task, metric)
        old = compute_metrics(truth, [champion[index] for index in chosen], task, metric)
        # A sample of a single class has no AUC and is no evidence for either model.
        return sign * (new[metric] - old[metric]) if metric in new and metric in old else 0.0

    interval = bootstrap(
        (np.arange(len(rows)),),
        gain,
        n_resamples=settings.bootstrap_samples,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(settings.seed),
    ).confidence_interval
    return (
        compute_metrics(labels, champion, task),
        compute_metrics(labels, challenger, task),
        ConfidenceInterval(float(interval.low), float(interval.high)),
    )


def find_rejection_reasons(
    metrics: Mapping[str, float],
    metric: str,
    threshold: float | None,
    gain: ConfidenceInterval | None,
) -> list[str]:
    """Return the reasons to reject a challenger, one sentence each; [] if it is accepted."""
    if metric not in metrics:
        return [f"{metric} is undefined on the test rows: all their labels are the same"]
    reasons = []
    value, higher = metrics[metric], metric in HIGHER_IS_BETTER
    if threshold is not None and not (value >= threshold if higher else value <= threshold):
        bound = "at least" if higher else "at most"
        reasons.append(f"{metric} is {value:.4f}, but {bound} {threshold:g} is required")
    if gain is not None and gain.high < 0:
        reasons.append(
            f"the champion's {metric} is better by {-gain.high:.4f} to {-gain.low:.4f}"
            " (95 % confidence)"
        )
    return reasons
