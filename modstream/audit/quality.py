"""The quality of predictions: metrics of predictions and labels by request id, over event time."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np

from modstream.audit.scored_predictions import (
    LabelledPredictions,
    ScoredPredictions,
)
from modstream.audit.stream_audit import StreamAudit
from modstream.audit.tables import ResponseColumns
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.metrics import auc, log_loss
from modstream.models.evaluation.monitoring.periods import DAY_MS, HOUR_MS

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
    unless predictions are probabilities of two classes. `metrics` are those of other tasks, by
    name. Labelled predictions are left out if the classes of their version are unknown
    (`unknown_classes`), or if the label is none of them (`foreign_labels`).
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
    unknown_classes: int = 0
    foreign_labels: int = 0

    @property
    def coverage(self) -> float:
        """The share of predictions that have a label; the metrics are computed from these."""
        return self.labelled / self.predictions if self.predictions else nan

    @property
    def swaps(self) -> int:
        """The number of hot swaps: versions that served requests after another one."""
        return max(len(self.versions) - 1, 0)


def measure_quality(
    audit: StreamAudit, scored: Mapping[str, ScoredPredictions]
) -> tuple[ModelQuality, ...]:
    """Compute the metrics of each model on the route from its scored predictions."""
    times = np.concatenate([one.binary.event_times for one in scored.values()])
    first, last = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    width = choose_bin_width(last - first)
    event_times = EventTimeBins(first, last, first - first % min(width, DAY_MS), width)
    return tuple(_measure_model(audit, model, one, event_times) for model, one in scored.items())


def choose_bin_width(duration: int) -> int:
    """Return the bin width for a duration, both in ms: weeks, days or hours."""
    if duration > 10 * WEEK_MS:
        return WEEK_MS
    return DAY_MS if duration > 3 * DAY_MS else HOUR_MS


def _measure_model(
    audit: StreamAudit, model: str, scored: ScoredPredictions, event_times: EventTimeBins
) -> ModelQuality:
    joins, binary = audit.feedback.joins.get(model), scored.binary
    return ModelQuality(
        model=model,
        predictions=scored.predictions,
        labelled=len(binary.labels),
        joined=int((joins.count.int_array(len(audit.ids)) > 0).sum()) if joins else 0,
        auc=auc(binary.labels, binary.predictions),
        log_loss=log_loss(binary.labels, binary.predictions),
        metrics=scored.metrics,
        event_times=event_times,
        bins=_bins(binary, event_times),
        versions=_served_versions(audit, audit.responses[model]),
        unknown_classes=scored.unknown_classes,
        foreign_labels=scored.foreign_labels,
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
