"""The coverage of conformal sets and intervals over time."""

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.evaluation.monitoring.conformal import (
    ConformalSettings,
    class_scores,
    replay_thresholds,
)
from modstream.models.evaluation.monitoring.periods import newest_periods
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CoveragePeriod:
    """The labelled predictions of one period, which starts at `start`, ms since the epoch.

    `coverage` is the share of labels inside their set or interval. `size` is the mean number of
    classes of a set, or the mean width of an interval. Of sets, `certain` is the share with one
    class, `empty` that with none, and `positive_coverage` the coverage of positive labels; they are
    NaN for intervals.
    """

    start: int
    count: int
    coverage: float
    size: float
    certain: float = nan
    empty: float = nan
    positive_coverage: float = nan


@dataclass(frozen=True, slots=True)
class ConformalRows:
    """For each row, (n,): whether the set has the label, and the size of the set."""

    is_covered: BoolArray
    size: FloatArray


def replay_conformal(
    rows: ScoredRows, predicted_at: IntArray, labelled_at: IntArray, settings: ConformalSettings
) -> ConformalRows:
    """Replay the predictions and labels of a binary or regression model in the order of time."""
    if rows.task == "binary":
        scores = class_scores(np.stack([1 - rows.predictions, rows.predictions], axis=1))
        own = scores[np.arange(len(rows)), rows.labels.astype(np.int64)]
        thresholds = replay_thresholds(predicted_at, labelled_at, own, settings)
        return ConformalRows(
            own <= thresholds, (scores <= thresholds[:, None]).sum(1).astype(np.float64)
        )
    own = rows.losses()
    thresholds = replay_thresholds(predicted_at, labelled_at, own, settings)
    return ConformalRows(own <= thresholds, np.maximum(2 * thresholds, 0.0))


def coverage_by_period(
    rows: ScoredRows, found: ConformalRows, starts: IntArray
) -> tuple[CoveragePeriod, ...]:
    """Return the coverage of each period; `starts` (n,) is that of each row's period, in ms.

    Rows before the first labels have sets of all classes and intervals without ends: infinite
    widths are left out of the mean.
    """
    periods = newest_periods(starts).tolist()
    return tuple(_period(rows, found, starts == start, start) for start in periods)


def _period(
    rows: ScoredRows, found: ConformalRows, inside: BoolArray, start: int
) -> CoveragePeriod:
    covered, size = found.is_covered[inside], found.size[inside]
    finite = size[np.isfinite(size)]
    figures = (
        float(covered.mean()),
        float(finite.mean()) if len(finite) else nan,
    )
    if rows.task != "binary":
        return CoveragePeriod(start, len(covered), *figures)
    positive = covered[rows.labels[inside] > 0]
    return CoveragePeriod(
        *(start, len(covered), *figures),
        certain=float((size == 1).mean()),
        empty=float((size == 0).mean()),
        positive_coverage=float(positive.mean()) if len(positive) else nan,
    )
