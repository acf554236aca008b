"""The prequential figures of models and versions over time, and the drift of inputs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from modstream.audit.names import NameTable, printable
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.dashboard.bands import band_of
from modstream.dashboard.snapshots import Drift, QualityPoint
from modstream.dashboard.window import HISTORY_MS

POINT_MS = 60_000
"""The time within which only the newest figures of a version are kept."""
MAX_POINTS = HISTORY_MS // POINT_MS + 1
MAX_SERIES = 100
"""Number of series, of all models and versions together; the one that has been without new figures
for longest is forgotten."""
SHOWN_METRICS = ("accuracy", "mae", "auc", "macro_f1", "log_loss", "smape", "rmse", "r2")
"""The metrics that are kept; the first one that a model has is its main metric."""
MAX_SHIFTS = 50
"""Number of the newest shifts of features of one model that are kept."""

SeriesName = tuple[str, int | None]
"""A model and a version; without a version, the model over all its versions."""


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """Figures as they are kept; `order` is the timestamp and the offset of their record."""

    order: tuple[int, int]
    event_time: int | None
    labelled: int
    window: int
    values: tuple[tuple[str, float], ...]

    def view(self) -> QualityPoint:
        """Return the figures with their bands."""
        values = dict(self.values)
        bands = {name: band_of(name, values, self.window) for name in values}
        return QualityPoint(
            self.order[0], self.event_time, self.labelled, self.window, values, bands
        )


@dataclass(slots=True)
class QualityFigures:
    """A fold over the metrics of learners, in any order."""

    models: NameTable
    _points: dict[SeriesName, dict[int, StoredPoint]] = field(default_factory=dict)
    _shifts: dict[str, list[tuple[tuple[int, int], Drift]]] = field(default_factory=dict)
    _learners: dict[str, tuple[tuple[int, int], Mapping[str, float]]] = field(default_factory=dict)

    def add(self, record: Record, metrics: Metrics) -> None:
        """Add metrics of the kinds `prequential`, `input_drift` and `learner`; ignore others."""
        if metrics.model is None:
            return
        model = self.models[metrics.model]
        order = (record.timestamp, record.offset)
        if metrics.kind == "prequential":
            self._add_point((model, metrics.version), order, metrics)
        elif metrics.kind == "input_drift":
            self._add_shifts(model, order, metrics)
        elif metrics.kind == "learner" and order > self._learners.get(model, ((-1, -1), {}))[0]:
            self._learners[model] = order, finite(metrics.values)

    def forget_before(self, start: int) -> None:
        """Forget figures from before `start` (ms)."""
        for name, points in list(self._points.items()):
            if any(at * POINT_MS < start - POINT_MS for at in points):
                kept = {at: one for at, one in points.items() if at * POINT_MS >= start - POINT_MS}
                self._points[name] = kept
            if not self._points[name]:
                del self._points[name]

    def names(self) -> set[str]:
        """Return the models that have figures."""
        return {model for model, _ in self._points} | self._shifts.keys() | self._learners.keys()

    def versions(self, model: str) -> set[int]:
        """Return the versions of a model that have figures of their own."""
        return {v for name, v in self._points if name == model and v is not None}

    def series(self, model: str, version: int | None) -> tuple[QualityPoint, ...]:
        """Return the figures of a version, or of a model over all its versions, oldest first."""
        points = self._points.get((model, version), {})
        return tuple(points[at].view() for at in sorted(points))

    def newest(self, model: str) -> QualityPoint | None:
        """Return the newest figures of a model over all its versions."""
        points = self._points.get((model, None))
        return points[max(points)].view() if points else None

    def drift(self, model: str) -> tuple[Drift, ...]:
        """Return the shifts of a model's features, newest first."""
        return tuple(drift for _, drift in self._shifts.get(model, ()))

    def learner(self, model: str) -> Mapping[str, float]:
        """Return the newest counts of a model's learner."""
        return self._learners.get(model, (None, {}))[1]

    def _add_point(self, name: SeriesName, order: tuple[int, int], metrics: Metrics) -> None:
        values = finite(metrics.values)
        point = StoredPoint(
            order,
            metrics.event_time,
            int(values.get("labelled", 0)),
            int(values.get("window", 0)),
            tuple((one, values[one]) for one in SHOWN_METRICS if one in values),
        )
        if name not in self._points and len(self._points) == MAX_SERIES:
            del self._points[min(self._points, key=lambda one: max(self._points[one], default=0))]
        points = self._points.setdefault(name, {})
        at = order[0] // POINT_MS
        if at not in points or order > points[at].order:
            points[at] = point
            if len(points) > 2 * MAX_POINTS:
                del points[min(points)]

    def _add_shifts(self, model: str, order: tuple[int, int], metrics: Metrics) -> None:
        found = [
            (order, Drift(order[0], metrics.event_time, printable(feature), shift))
            for feature, shift in list(finite(metrics.values).items())[:MAX_SHIFTS]
        ]
        known = self._shifts.get(model, [])
        by_age = sorted((*known, *found), key=lambda one: one[0], reverse=True)
        self._shifts[model] = by_age[:MAX_SHIFTS]


def main_metric(values: Mapping[str, float]) -> str | None:
    """Return the metric by which the versions of a model are compared."""
    return next((name for name in SHOWN_METRICS if name in values), None)


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values that are finite, at most 100, by printable names."""
    return {printable(n): v for n, v in list(values.items())[:100] if isfinite(v)}
