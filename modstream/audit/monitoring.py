"""The monitoring of a stream's models: slices, calibration, coverage, and drift of the inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.scored_predictions import LabelledPredictions, ScoredPredictions
from modstream.audit.stream_audit import StreamAudit
from modstream.models.evaluation.arrays import IntArray
from modstream.models.evaluation.monitoring.feature_drift import (
    FeatureDrift,
    measure_feature_drift,
)
from modstream.models.evaluation.monitoring.features import FeatureColumn
from modstream.models.evaluation.monitoring.model_monitoring import (
    ModelMonitoring,
    MonitoredRows,
    MonitoringSettings,
    monitor_model,
)
from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES, ScoredRows
from modstream.models.schema.card import Task

MAX_WINDOW_ROWS = 5000
"""Number of rows of the reference, and of the newest rows that are compared with it."""
MIN_MONITORED_ROWS = 30
"""Number of labelled predictions below which a model is not monitored."""


@dataclass(frozen=True, slots=True)
class InputDrift:
    """The drift per feature between the first and the newest rows of a stream, by event time.

    `reference` and `current` are the event times (ms) of the first and last row of each window.
    """

    rows: int
    reference: tuple[int, int]
    current: tuple[int, int]
    features: tuple[FeatureDrift, ...]


@dataclass(frozen=True, slots=True)
class StreamMonitoring:
    """What is monitored of the models of a route, and of their inputs.

    `feature_rows` is the number of rows whose features are known, one in `sampled_every` of all.
    Slices have these rows only.
    """

    models: tuple[ModelMonitoring, ...]
    drift: InputDrift | None
    feature_rows: int
    sampled_every: int


def monitor_stream(
    audit: StreamAudit,
    scored: Mapping[str, ScoredPredictions],
    settings: MonitoringSettings | None = None,
) -> StreamMonitoring:
    """Compute the monitored figures of each model with enough labels, and the drift of inputs."""
    models = []
    for model, predictions in scored.items():
        task, found = _most_frequent_task(predictions)
        if len(found.labels) >= MIN_MONITORED_ROWS:
            models.append(monitor_model(model, _monitored_rows(audit, task, found), settings))
    return StreamMonitoring(
        tuple(models), _input_drift(audit), len(audit.features.keys()), audit.features.every
    )


def _most_frequent_task(predictions: ScoredPredictions) -> tuple[Task, LabelledPredictions]:
    """Return the monitored task of most of a model's labelled predictions."""
    known = {task: found for task, found in predictions.by_task.items() if task in LOSS_NAMES}
    task = max(known, key=lambda one: len(known[one].labels), default=None)
    return ("binary", predictions.binary) if task is None else (task, known[task])


def _monitored_rows(audit: StreamAudit, task: Task, found: LabelledPredictions) -> MonitoredRows:
    labelled_at = audit.feedback.labels.event_time.int_array(len(audit.ids))[found.keys]
    known = audit.features.keys()
    has_features = np.isin(found.keys, known)
    return MonitoredRows(
        rows=ScoredRows(task, found.labels, found.predictions),
        versions=found.versions,
        confidences=found.confidences,
        predicted_at=found.event_times,
        labelled_at=labelled_at,
        columns=audit.features.columns(found.keys[has_features]),
        has_features=has_features,
    )


def _input_drift(audit: StreamAudit) -> InputDrift | None:
    keys = audit.features.keys()
    requests = audit.features.requests(keys)
    times = audit.requests.event_time.int_array(len(audit.requests.rows))[requests]
    return measure_input_drift(times, lambda rows: audit.features.columns(keys[rows]))


def measure_input_drift(
    times: IntArray, columns_of: Callable[[IntArray], Mapping[str, FeatureColumn]]
) -> InputDrift | None:
    """Compare the newest rows with as many of the first ones, at most a third of all each.

    Args:
        times: the event times of all rows in ms, (n,).
        columns_of: returns the features of some rows by their numbers.
    """
    order = np.argsort(times, kind="stable")
    size = min(MAX_WINDOW_ROWS, len(order) // 3)
    if not size:
        return None
    first, newest = order[:size], order[-size:]
    features = measure_feature_drift(columns_of(first), columns_of(newest))
    if not features:
        return None
    spans = [(int(times[rows[0]]), int(times[rows[-1]])) for rows in (first, newest)]
    return InputDrift(size, spans[0], spans[1], features)
