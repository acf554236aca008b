"""The monitoring of a model as the dashboard shows it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from math import isfinite, sqrt

from modstream.audit.monitoring import InputDrift
from modstream.dashboard.bands import mean_band, share_band
from modstream.dashboard.labelled_rows import LabelledRows
from modstream.dashboard.snapshots import (
    CalibrationView,
    FeatureDriftView,
    FeatureSlices,
    InputDriftView,
    MonitoringView,
    ReliabilityPoint,
    SliceView,
)
from modstream.dashboard.texts import cut
from modstream.models.evaluation.monitoring.calibration import Calibration
from modstream.models.evaluation.monitoring.feature_drift import (
    LARGE_PSI,
    NOTABLE_PSI,
    FeatureDrift,
)
from modstream.models.evaluation.monitoring.model_monitoring import (
    ModelMonitoring,
    MonitoredRows,
    MonitoringSettings,
    monitor_model,
)
from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES
from modstream.models.evaluation.monitoring.slices import MAX_SHOWN_FEATURES, SliceFigures

MIN_LABELS = 30
"""Number of labelled predictions below which a model is not monitored."""
MAX_DRIFT_FEATURES = 60
"""Number of features whose drift is shown, the largest first."""


def monitoring_views(rows: LabelledRows, now: int) -> dict[str, MonitoringView]:
    """Return what is monitored of each model with enough labels at `now` (ms)."""
    found = {model: rows.monitored(model) for model in rows.models()}
    enough = {model: one for model, one in found.items() if len(one) >= MIN_LABELS}
    if not enough:
        return {}
    drift = drift_view(rows.drift())
    return {model: monitoring_view(model, one, drift, now) for model, one in enough.items()}


def monitoring_view(
    model: str, rows: MonitoredRows, drift: InputDriftView | None, now: int
) -> MonitoringView:
    """Compute what is monitored of one model."""
    chosen = tuple(rows.columns)[:MAX_SHOWN_FEATURES]
    found = monitor_model(model, rows, MonitoringSettings(features=chosen))
    return MonitoringView(
        at=now,
        loss_name=LOSS_NAMES[found.task],
        labels=found.labelled,
        with_features=int(rows.has_features.sum()),
        block=found.block,
        level=found.settings.search.level,
        tested=found.worst.tested,
        found=found.worst.found,
        worst=tuple(map(slice_view, found.worst.slices)),
        by_feature=tuple(feature_slices(found.by_value)),
        calibration=calibration_of_all(found),
        by_version=tuple(
            calibration_view(one.first, one.last, one.calibration)
            for one in found.versions
            if one.calibration.count
        ),
        drift=drift,
    )


def feature_slices(slices: Iterable[SliceFigures]) -> Iterator[FeatureSlices]:
    """Yield slices by their feature; those of one feature follow each other."""
    for feature, found in groupby(slices, key=lambda one: one.conditions[0][0]):
        yield FeatureSlices(cut(feature), tuple(map(slice_view, found)))


def slice_view(one: SliceFigures) -> SliceView:
    """Return the figures of a slice with their bands, as if its rows were independent."""
    accuracy = one.metrics.get("accuracy")
    return SliceView(
        name=", ".join(f"{cut(feature)}: {cut(value)}" for feature, value in one.conditions),
        labels=one.count,
        loss=one.loss,
        loss_band=mean_band(one.loss, one.loss_sd / sqrt(one.count), one.count),
        rest_loss=one.rest_loss if isfinite(one.rest_loss) else None,
        accuracy=accuracy,
        accuracy_band=None if accuracy is None else share_band(accuracy, one.count),
        auc=one.metrics.get("auc"),
        observed=one.metrics.get("observed"),
        predicted=one.metrics.get("predicted"),
        p_value=one.p_value,
    )


def calibration_of_all(found: ModelMonitoring) -> CalibrationView | None:
    """Return the calibration of all versions together, None if there are no probabilities."""
    if not found.calibration.count:
        return None
    return calibration_view(found.versions[0].first, found.versions[-1].last, found.calibration)


def calibration_view(first: int, last: int, found: Calibration) -> CalibrationView:
    """Return a calibration, which has at least one bin."""
    return CalibrationView(
        first=first,
        last=last,
        labels=found.count,
        ece=found.ece,
        ece_by_chance=found.ece_by_chance,
        rms_error=found.rms_error,
        points=tuple(
            ReliabilityPoint(one.count, one.predicted, one.observed, one.low, one.high)
            for one in found.bins
        ),
    )


def drift_view(drift: InputDrift | None) -> InputDriftView | None:
    """Return the drift per feature, the largest first."""
    if drift is None:
        return None
    features = tuple(map(feature_drift_view, drift.features[:MAX_DRIFT_FEATURES]))
    return InputDriftView(drift.rows, drift.reference, drift.current, features)


def feature_drift_view(one: FeatureDrift) -> FeatureDriftView:
    """Return the drift of a feature, and how large it is by the customary bounds."""
    large, notable = one.psi >= LARGE_PSI, one.psi >= NOTABLE_PSI
    size = "large" if large else "notable" if notable else "small"
    return FeatureDriftView(**(asdict(one) | {"feature": cut(one.feature)}), size=size)
