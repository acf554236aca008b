"""Columns of features, and their division into bounded numbers of bins.

A missing value is a value: it has a bin of its own.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.arrays import FloatArray, IntArray

Selection = IntArray | npt.NDArray[np.bool_]
"""Numbers of rows, or a mask of rows."""

MISSING = "missing"
OTHER = "other"


class NumberColumn(NamedTuple):
    """The values of a numeric feature, (n,); NaN is missing."""

    numbers: FloatArray

    def take(self, rows: Selection) -> "NumberColumn":
        """Return some rows."""
        return NumberColumn(self.numbers[rows])

    def missing(self) -> npt.NDArray[np.bool_]:
        """Return which rows have no value, (n,)."""
        return np.isnan(self.numbers)


class CategoryColumn(NamedTuple):
    """The values of a categorical feature: the position of each in `names`, (n,); -1 is missing."""

    codes: IntArray
    names: tuple[str, ...]

    def take(self, rows: Selection) -> "CategoryColumn":
        """Return some rows."""
        return CategoryColumn(self.codes[rows], self.names)

    def missing(self) -> npt.NDArray[np.bool_]:
        """Return which rows have no value, (n,)."""
        return self.codes < 0


FeatureColumn = NumberColumn | CategoryColumn


@dataclass(frozen=True, slots=True)
class Binned:
    """A feature in bins: the bin of each row (n,), and the names of the bins."""

    codes: IntArray
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberBins:
    """Half-open intervals between `edges` (k,), in ascending order; the last bin is missing."""

    edges: FloatArray
    names: tuple[str, ...]

    def assign(self, column: FeatureColumn) -> IntArray:
        """Return the bin of each row, (n,); a category is in the bin of missing numbers."""
        missing = len(self.edges) + 1
        if not isinstance(column, NumberColumn):
            return np.full(len(column.codes), missing)
        found = np.searchsorted(self.edges, column.numbers, side="right")
        return np.where(np.isnan(column.numbers), missing, found).astype(np.int64)


@dataclass(frozen=True, slots=True)
class CategoryBins:
    """A bin for each of the most frequent categories, one for all others, one for missing."""

    names: tuple[str, ...]

    def assign(self, column: FeatureColumn) -> IntArray:
        """Return the bin of each row, (n,); a number is in the bin of other categories."""
        known = {name: place for place, name in enumerate(self.names[:-2])}
        other, missing = len(self.names) - 2, len(self.names) - 1
        if not isinstance(column, CategoryColumn):
            return np.where(column.missing(), missing, other).astype(np.int64)
        places = [known.get(name, other) for name in column.names]
        return np.array([*places, missing], dtype=np.int64)[column.codes]


Bins = NumberBins | CategoryBins


def fit_bins(column: FeatureColumn, max_bins: int) -> Bins:
    """Return bins for a feature: at most `max_bins`, and those for other and missing values.

    A number with few distinct values has a bin for each, otherwise bins between its quantiles.
    """
    if isinstance(column, CategoryColumn):
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
        frequent = np.argsort(-counts, kind="stable")[:max_bins]
        kept = tuple(column.names[place] for place in frequent if counts[place])
        return CategoryBins((*kept, OTHER, MISSING))
    numbers = column.numbers[~np.isnan(column.numbers)]
    distinct = np.unique(numbers)
    if len(distinct) <= max_bins:
        names = tuple(map(_show, distinct)) or ("no number",)
        return NumberBins(distinct[1:], (*names, MISSING))
    edges = _quantile_edges(numbers, distinct, max_bins)
    return NumberBins(edges, (*_interval_names(edges), MISSING))


def bin_column(column: FeatureColumn, max_values: int, max_bins: int) -> Binned:
    """Return a feature in bins that are fitted to its own values.

    A category has at most `max_values`, a number at most `max_bins`, and those for other and
    missing values.
    """
    bins = fit_bins(column, max_bins if isinstance(column, NumberColumn) else max_values)
    return Binned(bins.assign(column), bins.names)


def _quantile_edges(numbers: FloatArray, distinct: FloatArray, max_bins: int) -> FloatArray:
    """Return less than `max_bins` edges at quantiles.

    A value that is several quantiles, such as 0 of the precipitation, has a bin of its own.
    """
    shares = np.linspace(0, 1, max_bins + 1)[1:-1]
    values, repeats = np.unique(
        np.quantile(numbers, shares, method="inverted_cdf"), return_counts=True
    )
    is_lowest = values == distinct[0]
    after = np.searchsorted(distinct, values[is_lowest | (repeats > 1)], side="right")
    above = distinct[after[after < len(distinct)]]
    return np.unique(np.concatenate([values[~is_lowest], above]))


def _interval_names(edges: FloatArray) -> tuple[str, ...]:
    if not len(edges):
        return ("any number",)
    shown = list(map(_show, edges))
    between = (f"{low} to <{high}" for low, high in pairwise(shown))
    return (f"<{shown[0]}", *between, f"≥{shown[-1]}")


def _show(number: Any) -> str:  # noqa: ANN401 - a number of numpy
    return f"{number:.6g}"
