"""All monitored figures of one model: slices, calibration, coverage of conformal sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.evaluation.monitoring.calibration import (
    NO_CALIBRATION,
    Calibration,
    measure_calibration,
)
from modstream.models.evaluation.monitoring.conformal import ConformalSettings
from modstream.models.evaluation.monitoring.coverage import (
    CoveragePeriod,
    coverage_by_period,
    replay_conformal,
)
from modstream.models.evaluation.monitoring.features import (
    CategoryColumn,
    FeatureColumn,
    Selection,
)
from modstream.models.evaluation.monitoring.periods import (
    block_unit,
    blocks_of,
    newest_periods,
    period_starts,
    period_unit,
)
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows
from modstream.models.evaluation.monitoring.slice_search import (
    FoundSlices,
    SliceSearch,
    find_worst_slices,
)
from modstream.models.evaluation.monitoring.slices import (
    MAX_VALUES,
    SliceFigures,
    figures_by_value,
)
from modstream.models.schema.card import Task

MAX_CURVES = 4
"""Number of groups of versions that have a reliability curve of their own."""
MIN_CURVE_ROWS = 500
"""Smallest number of rows of such a group, unless there are less in all."""


@dataclass(frozen=True, slots=True)
class MonitoringSettings:
    """What is monitored.

    `features` are those by whose values figures are given; without any, the categorical features
    with at most `MAX_VALUES` values are.
    """

    features: tuple[str, ...] = ()
    search: SliceSearch = field(default_factory=SliceSearch)
    conformal: ConformalSettings = field(default_factory=ConformalSettings)


@dataclass(frozen=True, slots=True)
class MonitoredRows:
    """The labelled predictions of one model, (n,).

    `confidences` are the highest probabilities of a multiclass model, NaN if unknown. `columns`
    have the features of those rows for which `has_features` (n,) is set; slices are made of these.
    Times are event times in ms.
    """

    rows: ScoredRows
    versions: IntArray
    confidences: FloatArray
    predicted_at: IntArray
    labelled_at: IntArray
    columns: Mapping[str, FeatureColumn]
    has_features: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class VersionCalibration:
    """The calibration of consecutive versions, from `first` to `last`."""

    first: int
    last: int
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class MonitoredPeriod:
    """The figures of one period, which starts at `start`, ms since the epoch.

    `coverage` is None if the model has no conformal sets.
    """

    start: int
    count: int
    loss: float
    calibration: Calibration
    coverage: CoveragePeriod | None = None


@dataclass(frozen=True, slots=True)
class ModelMonitoring:
    """The monitored figures of one model.

    `unit` is that of its periods, and `block` that of the blocks of rows in which slices are
    compared.
    """

    model: str
    task: Task
    labelled: int
    by_value: tuple[SliceFigures, ...]
    worst: FoundSlices
    block: str
    calibration: Calibration
    versions: tuple[VersionCalibration, ...]
    unit: str
    periods: tuple[MonitoredPeriod, ...]
    settings: MonitoringSettings


def monitor_model(
    model: str, monitored: MonitoredRows, settings: MonitoringSettings | None = None
) -> ModelMonitoring:
    """Compute all figures of a model that has at least one labelled prediction."""
    settings = settings or MonitoringSettings()
    outcomes, probabilities = _events(monitored)
    rows, columns = monitored.rows.take(monitored.has_features), monitored.columns
    times = monitored.predicted_at[monitored.has_features]
    block = block_unit(times)
    unit = period_unit(int(monitored.predicted_at.min()), int(monitored.predicted_at.max()))
    return ModelMonitoring(
        model=model,
        task=monitored.rows.task,
        labelled=len(monitored),
        by_value=figures_by_value(rows, columns, _shown_features(columns, settings.features)),
        worst=find_worst_slices(rows, columns, settings.search, blocks_of(times, block)),
        block=block,
        calibration=_calibration(outcomes, probabilities),
        versions=tuple(
            VersionCalibration(first, last, _calibration(outcomes[inside], probabilities[inside]))
            for first, last, inside in group_versions(monitored.versions)
        ),
        unit=unit,
        periods=_periods(monitored, outcomes, probabilities, unit, settings.conformal),
        settings=settings,
    )


def group_versions(versions: IntArray) -> list[tuple[int, int, Selection]]:
    """Return at most `MAX_CURVES` groups of consecutive versions: first, last, and their rows.

    A version with enough rows is alone; others are joined with the next ones until they have
    enough.
    """
    numbers, counts = np.unique(versions, return_counts=True)
    enough = max(MIN_CURVE_ROWS, -(-len(versions) // MAX_CURVES)) if len(numbers) > 1 else 1
    groups, start, size = [], 0, 0
    for place, count in enumerate(counts.tolist()):
        size += count
        if size >= enough or place == len(numbers) - 1:
            groups.append((int(numbers[start]), int(numbers[place])))
            start, size = place + 1, 0
    return [(low, high, (versions >= low) & (versions <= high)) for low, high in groups]


def _events(monitored: MonitoredRows) -> tuple[FloatArray, FloatArray]:
    """Return the outcomes and the probabilities whose calibration is measured, (n,) each."""
    rows = monitored.rows
    if rows.task == "binary":
        return rows.labels, rows.predictions
    if rows.task == "multiclass":
        return (rows.labels == rows.predictions).astype(np.float64), monitored.confidences
    return rows.labels, np.full(len(rows), np.nan)


def _calibration(outcomes: FloatArray, probabilities: FloatArray) -> Calibration:
    known = np.isfinite(probabilities)
    if not known.any():
        return NO_CALIBRATION
    return measure_calibration(outcomes[known], probabilities[known])


def _shown_features(columns: Mapping[str, FeatureColumn], chosen: Sequence[str]) -> Sequence[str]:
    return chosen or [
        name
        for name, column in columns.items()
        if isinstance(column, CategoryColumn) and len(column.names) <= MAX_VALUES
    ]


def _periods(
    monitored: MonitoredRows,
    outcomes: FloatArray,
    probabilities: FloatArray,
    unit: str,
    conformal: ConformalSettings,
) -> tuple[MonitoredPeriod, ...]:
    rows, losses = monitored.rows, monitored.rows.losses()
    starts = period_starts(monitored.predicted_at, unit)
    coverages: dict[int, CoveragePeriod] = {}
    if rows.task != "multiclass":
        replayed = replay_conformal(rows, monitored.predicted_at, monitored.labelled_at, conformal)
        coverages = {one.start: one for one in coverage_by_period(rows, replayed, starts)}
    found = []
    for start in newest_periods(starts).tolist():
        inside = starts == start
        calibration = _calibration(outcomes[inside], probabilities[inside])
        loss = float(losses[inside].mean())
        found.append(
            MonitoredPeriod(start, int(inside.sum()), loss, calibration, coverages.get(start))
        )
    return tuple(found)
