"""What the page of a model shows of its monitoring: slices, reliability curves, drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modstream.dashboard.snapshots import (
    CalibrationView,
    FeatureSlices,
    MonitoringView,
    ReliabilityPoint,
    SliceView,
)
from modstream.dashboard.web.charts import MAX_VERSION_LINES, Whisker, whiskers
from modstream.dashboard.web.tables import SHORT_ROWS, Address, page_of

LEFT, TOP, SIDE = 46, 10, 240
"""Position and size of the square of a reliability chart, in units of its drawing."""


@dataclass(frozen=True, slots=True)
class ReliabilityLine:
    """A curve of a reliability chart, as paths of SVG: through its points, and of their bands."""

    label: str
    tone: int
    curve: str
    bands: str
    dots: Sequence[tuple[float, float]]


def monitoring_values(view: MonitoringView | None, address: Address) -> Mapping[str, Any]:
    """Return the values of the template `model_monitoring.html`."""
    if view is None:
        return {"monitoring": None}
    shown = chosen_feature(view, address.query.get("feature", ""))
    drift = () if view.drift is None else view.drift.features
    return {
        "monitoring": view,
        "worst_whiskers": slice_whiskers(view.worst),
        "feature": shown,
        "value_whiskers": {} if shown is None else slice_whiskers(shown.slices),
        "reliability": reliability_lines(compared_calibrations(view)),
        "calibrations": compared_calibrations(view),
        "feature_drift": page_of(drift, address.query, "features", SHORT_ROWS),
        "largest_psi": max((one.psi for one in drift), default=0.0),
    }


def chosen_feature(view: MonitoringView, name: str) -> FeatureSlices | None:
    """Return the slices of the feature of this name, else of the one with the worst value."""
    named = next((one for one in view.by_feature if one.feature == name), None)
    return named or max(
        view.by_feature, key=lambda one: max(each.loss for each in one.slices), default=None
    )


def slice_whiskers(slices: Sequence[SliceView]) -> dict[str, Whisker]:
    """Return the losses of slices with their bands, on one scale, by the names of the slices."""
    return whiskers({one.name: (one.loss, one.loss_band) for one in slices})


def compared_calibrations(view: MonitoringView) -> Sequence[CalibrationView]:
    """Return the calibrations of several versions, else that of all together."""
    if len(view.by_version) > 1:
        return view.by_version[-MAX_VERSION_LINES:]
    return () if view.calibration is None else (view.calibration,)


def reliability_lines(calibrations: Sequence[CalibrationView]) -> list[ReliabilityLine]:
    """Return the curves of a reliability chart."""
    return [
        ReliabilityLine(
            label=one.name,
            tone=tone,
            curve="M" + "L".join(f"{x} {y}" for x, y in map(place, one.points)),
            bands="".join(map(band_path, one.points)),
            dots=list(map(place, one.points)),
        )
        for tone, one in enumerate(calibrations)
    ]


def place(point: ReliabilityPoint) -> tuple[float, float]:
    """Return where a point is drawn."""
    return across(point.predicted), up(point.observed)


def band_path(point: ReliabilityPoint) -> str:
    """Return the path of a point's band."""
    return f"M{across(point.predicted)} {up(point.low)}V{up(point.high)}"


def across(share: float) -> float:
    """Return the horizontal place of a probability."""
    return round(LEFT + SIDE * share, 1)


def up(share: float) -> float:
    """Return the vertical place of a frequency."""
    return round(TOP + SIDE * (1 - share), 1)
