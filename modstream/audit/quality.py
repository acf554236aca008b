"""The quality of predictions: metrics of predictions and labels by request id, over event time."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np

from modstream.audit.columns import BoolArray, IntArray
from modstream.audit.labels import first_prediction_rows
from modstream.audit.stream_audit import StreamAudit
from modstream.audit.tables import ResponseColumns
from modstream.models.evaluation.metrics import FloatArray, auc, compute_metrics, log_loss

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MIN_BIN_ROWS = 30
"""Minimum number of labelled predictions in a bin; metrics of fewer are mostly chance."""


@dataclass(frozen=True, slots=True)
class EventTimeBins:
    """The event time of all labelled predictions, in bins of `width` from `origin`; all in ms."""

    first: int
    last: int
    origin: int
    width: int


@dataclass(frozen=True, slots=True)
class QualityBin:
    """The labelled predictions in one bin of event time, which starts at `start` (ms)."""

    start: int
    labelled: int
    auc: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version, and the wall time and event time (ms) of the first request that it served."""

    version: int
    predictions: int
    first_served_at: int
    first_event_time: int


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """The metrics of one model's predictions.

    `predictions` counts ids with a prediction, `labelled` those of them that also have a label in
    the topics, and `joined` those that the joiner joined. `auc` and `log_loss` (nats) are NaN
    unless predictions are probabilities and labels are 0 and 1. `metrics` are those of other
    tasks, by name.
    """

    model: str
    predictions: int
    labelled: int
    joined: int
    auc: float
    log_loss: float
    metrics: Mapping[str, float]
    event_times: EventTimeBins
    bins: tuple[QualityBin, ...]
    versions: tuple[ServedVersion, ...]

    @property
    def coverage(self) -> float:
        """The share of predictions that have a label; the metrics are computed from these."""
        return self.labelled / self.predictions if self.predictions else nan

    @property
    def swaps(self) -> int:
        """The number of hot swaps: versions that served requests after another one."""
        return max(len(self.versions) - 1, 0)


@dataclass(frozen=True, slots=True)
class LabelledPredictions:
    """Labels, predictions, and event times (ms) of the requests; each of shape (n,)."""

    labels: FloatArray
    predictions: FloatArray
    event_times: IntArray

    def select(self, mask: BoolArray) -> "LabelledPredictions":
        """Return the rows that a mask of shape (n,) selects."""
        return LabelledPredictions(
            self.labels[mask], self.predictions[mask], self.event_times[mask]
        )


def measure_quality(audit: StreamAudit) -> tuple[ModelQuality, ...]:
    """Compute the metrics of each model on the route."""
    by_model = {model: _binary_predictions(audit, audit.responses[model]) for model in audit.route}
    times = np.concatenate([labelled.event_times for labelled in by_model.values()])
    first, last = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    width = choose_bin_width(last - first)
    event_times = EventTimeBins(first, last, first - first % min(width, DAY_MS), width)
    return tuple(
        _measure_model(audit, model, labelled, event_times) for model, labelled in by_model.items()
    )


def choose_bin_width(duration: int) -> int:
    """Return the bin width for a duration, both in ms: weeks, days or hours."""
    if duration > 10 * WEEK_MS:
        return WEEK_MS
    return DAY_MS if duration > 3 * DAY_MS else HOUR_MS


def _measure_model(
    audit: StreamAudit, model: str, labelled: LabelledPredictions, event_times: EventTimeBins
) -> ModelQuality:
    joins = audit.joins.get(model)
    return ModelQuality(
        model=model,
        predictions=len(first_prediction_rows(audit, audit.responses[model])[0]),
        labelled=len(labelled.labels),
        joined=int((joins.count.int_array(len(audit.ids)) > 0).sum()) if joins else 0,
        auc=auc(labelled.labels, labelled.predictions),
        log_loss=log_loss(labelled.labels, labelled.predictions),
        metrics=_other_metrics(audit, audit.responses[model]),
        event_times=event_times,
        bins=_bins(labelled, event_times),
        versions=_served_versions(audit, audit.responses[model]),
    )


def _binary_predictions(audit: StreamAudit, responses: ResponseColumns) -> LabelledPredictions:
    """Return the predictions that are probabilities and whose labels are 0 or 1."""
    labelled = _labelled_predictions(audit, responses)
    is_binary = (
        np.isin(labelled.labels, (0.0, 1.0))
        & (labelled.predictions >= 0)
        & (labelled.predictions <= 1)
    )
    return labelled.select(is_binary & (responses.task in {None, "binary"}))


def _other_metrics(audit: StreamAudit, responses: ResponseColumns) -> dict[str, float]:
    """Return the metrics of regression values, anomaly scores and numeric classes."""
    labelled = _labelled_predictions(audit, responses)
    finite = labelled.select(np.isfinite(labelled.labels) & np.isfinite(labelled.predictions))
    if responses.task in {"regression", "anomaly"}:
        return compute_metrics(finite.labels.tolist(), finite.predictions.tolist(), responses.task)
    if responses.task == "multiclass" and len(finite.labels):
        return {"accuracy": float(np.mean(finite.labels == finite.predictions))}
    return {}


def _labelled_predictions(audit: StreamAudit, responses: ResponseColumns) -> LabelledPredictions:
    size = len(audit.requests.rows)
    ids, rows = first_prediction_rows(audit, responses)
    return LabelledPredictions(
        audit.labels.last.float_array(len(audit.ids))[ids],
        responses.value.float_array(size)[rows],
        audit.requests.event_time.int_array(size)[rows],
    )


def _bins(labelled: LabelledPredictions, event_times: EventTimeBins) -> tuple[QualityBin, ...]:
    order = np.argsort(labelled.event_times, kind="stable")
    indices = (labelled.event_times[order] - event_times.origin) // event_times.width
    used, starts = np.unique(indices, return_index=True)
    starts_ms = (event_times.origin + used * event_times.width).tolist()
    parts = np.split(order, starts[1:])
    return tuple(
        QualityBin(
            start, len(part), *_bin_metrics(labelled.labels[part], labelled.predictions[part])
        )
        for start, part in zip(starts_ms, parts, strict=False)
    )


def _bin_metrics(labels: FloatArray, predictions: FloatArray) -> tuple[float, float]:
    if len(labels) < MIN_BIN_ROWS:
        return nan, nan
    return auc(labels, predictions), log_loss(labels, predictions)


def _served_versions(audit: StreamAudit, responses: ResponseColumns) -> tuple[ServedVersion, ...]:
    """Return the versions in the order of their first responses."""
    size = len(audit.requests.rows)
    rows = np.flatnonzero(responses.predictions.int_array(size))
    at, version = (
        responses.appended_at.int_array(size)[rows],
        responses.version.int_array(size)[rows],
    )
    event_time = audit.requests.event_time.int_array(size)[rows]
    order = np.lexsort((version, at))
    versions, first, counts = np.unique(version[order], return_index=True, return_counts=True)
    versions_served = [
        ServedVersion(int(number), int(count), int(at[row]), int(event_time[row]))
        for number, count, row in zip(versions, counts, order[first], strict=True)
    ]
    return tuple(
        sorted(versions_served, key=lambda served: (served.first_served_at, served.version))
    )
