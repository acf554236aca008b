"""Training of a challenger from labelled rows: check, split, search, fit, export, test."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import bootstrap
from sklearn.base import BaseEstimator

from modstream.models.errors import ArtifactError
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER, PredictedValue, compute_metrics
from modstream.models.importers.sklearn import ExportedModel, export_model
from modstream.models.importers.sklearn_samples import MAX_CARD_ROWS, card_rows, rows_of
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.dataset import LabelledDataset, check_trainable, split_by_time
from modstream.models.training.errors import UnknownMetric
from modstream.models.training.search import (
    ModelTrial,
    ProgressCallback,
    fit,
    predict_values,
    search,
)
from modstream.models.training.settings import TrainSettings

SELECTION_METRICS: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "binary": ("auc", "log_loss", "accuracy"),
        "multiclass": ("accuracy", "macro_f1", "log_loss"),
        "regression": ("r2", "mae", "rmse"),
    }
)
"""The metrics that may decide, by task; the first one is the default."""
MAX_GOLDEN_ROWS = 500
"""Largest number of test rows on which an ONNX export is compared with the original."""
MIN_COMPARED_ROWS = 30
"""Smallest number of rows predicted by the champion from which a comparison is meaningful."""


class ConfidenceInterval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A fitted challenger and the result of its test on the newest rows.

    `trials` are all trials, the best first; `chosen` is the best that a worker can load. `metrics`
    are over all test rows, of which `labels` and `predictions` are the metric labels and the
    challenger's predictions. `champion_on_overlap` and `challenger_on_overlap` are the metrics over
    the test rows that the champion predicted at serving time, and `gain` is the challenger's
    improvement there by `metric`; all three are empty or None if there are too few such rows.
    `rejection_reasons` are the reasons not to publish the challenger.
    """

    spec: VersionSpec
    artifact: bytes
    metric: str
    trials: tuple[ModelTrial, ...]
    chosen: ModelTrial
    metrics: Mapping[str, float]
    champion_on_overlap: Mapping[str, float]
    challenger_on_overlap: Mapping[str, float]
    gain: ConfidenceInterval | None
    rejection_reasons: tuple[str, ...]
    labels: Sequence[Scalar]
    predictions: Sequence[PredictedValue]

    @property
    def is_accepted(self) -> bool:
        """Whether there is no reason to reject the challenger."""
        return not self.rejection_reasons


def train(
    dataset: LabelledDataset, settings: TrainSettings, on_progress: ProgressCallback
) -> TrainingResult:
    """Train a challenger on all but the newest rows and test it on the newest.

    `on_progress` receives the current step and the completed share, 0 to 1.

    Raises:
        TrainingError: there are too few rows or usable folds, too many rejected rows, the metric
            does not fit the task, or models of its kind are not trained in batch.
        ArtifactError: no trial can be exported to a format that a worker loads.
    """
    check_trainable(dataset, settings)
    older, newest = split_by_time(dataset, settings)
    metric = selection_metric(dataset.card.task, settings.metric)
    trials = search(older, metric, settings, on_progress)
    on_progress("fitting and exporting the best", 1.0)
    golden = newest.batch.take(range(min(newest.batch.size, MAX_GOLDEN_ROWS)))
    chosen, model, exported = fit_first_exportable(trials, older, golden)
    predictions = predict_values(model, newest)
    metrics = compute_metrics(newest.metric_labels(), predictions, dataset.card.task)
    champion, challenger, gain = compare_with_champion(newest, predictions, metric, settings)
    reasons = find_rejection_reasons(metrics, metric, settings.threshold, gain)
    return TrainingResult(
        spec=_challenger_spec(older, chosen.kind, exported, metrics),
        artifact=exported.artifact,
        metric=metric,
        trials=tuple(trials),
        chosen=chosen,
        metrics=metrics,
        champion_on_overlap=champion,
        challenger_on_overlap=challenger,
        gain=gain,
        rejection_reasons=tuple(reasons),
        labels=newest.metric_labels(),
        predictions=predictions,
    )


def _challenger_spec(
    fitted: LabelledDataset, kind: str, exported: ExportedModel, metrics: Mapping[str, float]
) -> VersionSpec:
    packages = ("scikit-learn", "optuna", exported.library)
    sample_count = min(fitted.batch.size, MAX_CARD_ROWS)
    return VersionSpec(
        name=fitted.card.name,
        runtime=exported.runtime,
        task=fitted.card.task,
        classes=fitted.classes,
        input_schema=exported.schema,
        fidelity=exported.fidelity,
        sample_rows=card_rows(rows_of(exported.schema, fitted.batch.take(range(sample_count)))),
        parent=fitted.card.version,
        metrics={**metrics, "trained_on": len(fitted.labels)},
        libraries={package: version(package) for package in packages},
        note=f"retrained: {kind} on {len(fitted.labels):,} rows",
    )


def fit_first_exportable(
    trials: Sequence[ModelTrial], dataset: LabelledDataset, golden: Batch
) -> tuple[ModelTrial, BaseEstimator, ExportedModel]:
    """Fit and export the first trial for which that is possible; `trials` are the best first.

    Raises:
        ArtifactError: none can be exported; the error is that of the last one.
    """
    *others, last = trials
    for trial in others:
        model = fit(trial.estimator, dataset)
        with suppress(ArtifactError):
            return trial, model, export_model(model, dataset.card.input_schema, golden)
    model = fit(last.estimator, dataset)
    return last, model, export_model(model, dataset.card.input_schema, golden)


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
