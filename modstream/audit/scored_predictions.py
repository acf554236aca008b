"""The labelled predictions of a model, scored by the classes of the versions that made them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from modstream.audit.columns import BoolArray
from modstream.audit.predictions import Predictions, first_predictions
from modstream.audit.stream_audit import StreamAudit
from modstream.audit.values import NO_VALUE, ValueArray
from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.evaluation.metrics import compute_metrics
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.card import Task


@dataclass(frozen=True, slots=True)
class LabelledPredictions:
    """Labels, predictions, and event times (ms) of the requests; each of shape (n,).

    `keys` are the rows' numbers in `StreamAudit.ids`. `confidences` are the highest probabilities
    of several classes, NaN of other predictions.
    """

    labels: FloatArray
    predictions: FloatArray
    event_times: IntArray
    keys: IntArray
    versions: IntArray
    confidences: FloatArray

    def select(self, mask: BoolArray) -> "LabelledPredictions":
        """Return the rows that a mask of shape (n,) selects."""
        return LabelledPredictions(*(getattr(self, one.name)[mask] for one in fields(self)))


NO_PREDICTIONS = LabelledPredictions(
    *(np.empty(0), np.empty(0), np.empty(0, np.int64)),
    *(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)),
)


@dataclass(slots=True)
class ScoredPredictions:
    """The predictions of a model that could be scored.

    `by_task` are the labels and predictions of each task: positions of classes, or values.
    `metrics` are those of other tasks than `binary`. `predictions` counts all of them; the other
    two counts are those of labelled predictions whose version is unknown, or whose label is none of
    its classes.
    """

    predictions: int
    unknown_classes: int = 0
    foreign_labels: int = 0
    by_task: Mapping[Task, LabelledPredictions] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def binary(self) -> LabelledPredictions:
        """The labels as 0 and 1, and the probabilities of the second class."""
        return self.by_task.get("binary", NO_PREDICTIONS)


def score_model(audit: StreamAudit, model: str) -> ScoredPredictions:
    """Score the predictions of one model whose labels are in the topics."""
    made = first_predictions(audit, audit.responses[model])
    result = ScoredPredictions(predictions=len(made.keys))
    label = audit.feedback.labels.last.array(len(audit.ids)).take(made.keys)
    is_labelled = ~np.isnan(label.numbers) | (label.codes != NO_VALUE)
    times = audit.requests.event_time.int_array(len(audit.requests.rows))[made.requests]
    parts: dict[Task, list[LabelledPredictions]] = {}
    for known, mask in _rows_by_classes(audit, model, made, is_labelled):
        if known is None:
            result.unknown_classes += int(mask.sum())
            continue
        task, labels, predicted = _compared(known, made, label)
        result.foreign_labels += int((mask & np.isnan(labels)).sum())
        is_scored = mask & np.isfinite(labels) & np.isfinite(predicted)
        found = LabelledPredictions(
            labels, predicted, times, made.keys, made.version, made.confidence
        ).select(is_scored)
        parts.setdefault(task, []).append(found)
    result.by_task = {task: _concatenate(found) for task, found in parts.items()}
    for task, found in result.by_task.items():
        if task != "binary":
            result.metrics = {**result.metrics, **_metrics_of(task, found)}
    return result


def _rows_by_classes(
    audit: StreamAudit, model: str, made: Predictions, is_labelled: BoolArray
) -> list[tuple[VersionLabels | None, BoolArray]]:
    """Return which labelled rows are of versions with the same task and classes."""
    groups: list[tuple[VersionLabels | None, list[int]]] = []
    for version in np.unique(made.version[is_labelled]).tolist():
        known = audit.versions.get(model, version)
        group = next((versions for one, versions in groups if one == known), None)
        if group is None:
            groups.append((known, [version]))
        else:
            group.append(version)
    return [(known, is_labelled & np.isin(made.version, versions)) for known, versions in groups]


def _compared(
    known: VersionLabels, made: Predictions, label: ValueArray
) -> tuple[Task, FloatArray, FloatArray]:
    """Return what is compared of all rows: the task, the labels, and the predictions, (n,).

    A class is compared by its position. Two classes without probabilities are compared like
    several.
    """
    if known.task == "regression":
        return "regression", label.numbers, made.value
    labels = label.indices(known.classes.index_of)
    if known.task == "anomaly":
        return "anomaly", labels, made.value
    classes = made.predicted.indices(known.classes.index_of_output)
    is_probability = (made.value >= 0) & (made.value <= 1) & np.isnan(classes)
    if known.task == "binary" and is_probability.any():
        return "binary", labels, np.where(is_probability, made.value, np.nan)
    return "multiclass", labels, classes


def _metrics_of(task: Task, found: LabelledPredictions) -> dict[str, float]:
    if not len(found.labels):
        return {}
    if task == "multiclass":
        return {"accuracy": float(np.mean(found.labels == found.predictions))}
    return compute_metrics(found.labels.tolist(), found.predictions.tolist(), task)


def _concatenate(parts: list[LabelledPredictions]) -> LabelledPredictions:
    return LabelledPredictions(
        *(
            np.concatenate([getattr(part, one.name) for part in parts])
            for one in fields(LabelledPredictions)
        )
    )
