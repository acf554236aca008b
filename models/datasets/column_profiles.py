"""What a column has: counts, missing values, quantiles, a histogram, a fitted distribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.distributions import Distribution, Numbers, fit_distribution

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 40
MAX_TOP = 12
"""Number of the most frequent values that a profile has."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts (k,) of the values between edges (k + 1,).

    The edges span the quantiles 0.5 % to 99.5 % if the extremes are far out; `below` and `above`
    count the values outside.
    """

    edges: Sequence[float]
    counts: Sequence[int]
    below: int = 0
    above: int = 0
    has_whole_bins: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest value that the histogram shows."""
        half = 0.5 if self.has_whole_bins else 0.0
        return self.edges[0] + half, self.edges[-1] - half


@dataclass(frozen=True, slots=True)
class NumberSummary:
    """The figures of a column of numbers; times are in ms since the epoch."""

    minimum: float
    maximum: float
    mean: float
    deviation: float
    quantiles: Mapping[float, float]
    zeros: int

    @property
    def median(self) -> float:
        """The median."""
        return self.quantiles[0.5]


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column of `rows` values, of which `missing` are missing and `distinct` different.

    `numbers`, `histogram` and `distribution` are of numbers and times only, `top` has the most
    frequent values of texts and bools with their counts.
    """

    name: str
    kind: ColumnKind
    rows: int
    missing: int
    distinct: int
    numbers: NumberSummary | None = None
    histogram: Histogram | None = None
    distribution: Distribution | None = None
    top: tuple[tuple[str, int], ...] = ()

    @property
    def present(self) -> int:
        """The number of values that are not missing."""
        return self.rows - self.missing

    @property
    def is_constant(self) -> bool:
        """Whether all values are the same."""
        return self.distinct <= 1

    @property
    def is_unique(self) -> bool:
        """Whether no value occurs twice."""
        return self.present > 1 and self.distinct == self.present


def profile_numbers(name: str, kind: ColumnKind, rows: int, values: Numbers) -> ColumnProfile:
    """Return the profile of a column of numbers, or of times in ms.

    Args:
        name: the column's name.
        kind: its kind.
        rows: the number of rows.
        values: the values that are not missing, shape (n,); infinite ones count as missing.
    """
    finite = values[np.isfinite(values)]
    missing = rows - len(finite)
    if not len(finite):
        return ColumnProfile(name, kind, rows, missing, 0)
    quantiles = dict(zip(QUANTILES, np.quantile(finite, QUANTILES).tolist(), strict=True))
    summary = NumberSummary(
        float(finite.min()),
        float(finite.max()),
        float(finite.mean()),
        float(finite.std()),
        quantiles,
        int((finite == 0).sum()),
    )
    return ColumnProfile(
        name,
        kind,
        rows,
        missing,
        len(np.unique(finite)),
        summary,
        histogram_of(finite),
        fit_distribution(finite) if kind != "timestamp" else None,
    )


def profile_texts(
    name: str, kind: ColumnKind, rows: int, counts: Sequence[tuple[str, int]]
) -> ColumnProfile:
    """Return the profile of a column of texts or bools, by the count of each different value."""
    present = sum(count for _, count in counts)
    ordered = sorted(counts, key=lambda one: (-one[1], one[0]))
    return ColumnProfile(
        name, kind, rows, rows - present, len(counts), top=tuple(ordered[:MAX_TOP])
    )


def histogram_of(values: Numbers) -> Histogram:
    """Return the histogram of finite values, shape (n,).

    Few different whole numbers have a bin each.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return Histogram((low - 0.5, low + 0.5), (len(values),), has_whole_bins=True)
    inner_low, inner_high = (float(one) for one in np.quantile(values, (0.005, 0.995)))
    if inner_high > inner_low and high - low > 3 * (inner_high - inner_low):
        low, high = inner_low, inner_high
    is_whole = high - low < BINS and bool((values == np.round(values)).all())
    edges: npt.NDArray[np.float64] = (
        np.arange(round(low) - 0.5, round(high) + 1.0)
        if is_whole
        else np.linspace(low, high, _bin_count(values) + 1)
    )
    counts, _ = np.histogram(values, edges)
    return Histogram(
        tuple(edges.tolist()),
        tuple(counts.tolist()),
        int((values < edges[0]).sum()),
        int((values > edges[-1]).sum()),
        is_whole,
    )


def _bin_count(values: Numbers) -> int:
    """Return the number of bins: with few different values, few enough to have no gaps."""
    distinct = len(np.unique(values))
    return BINS if distinct > 3 * BINS else max(5, distinct // 3)
