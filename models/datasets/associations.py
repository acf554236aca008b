"""How much columns say of each other: correlations of numbers, mutual information of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Codes = npt.NDArray[np.intp]
Matrix = npt.NDArray[np.float64]

MAX_BINS, ROWS_PER_CELL = 20, 10
"""Numbers are divided into bins with as many values each: few enough that a pair of bins has this
many rows or more, if two columns are independent."""
MAX_VALUES = 200
"""Texts with more different values say nothing reliable of others and are left out."""


class Pair(NamedTuple):
    """Two columns, and how strongly they are associated."""

    first: str
    second: str
    value: float


@dataclass(frozen=True, slots=True)
class Associations:
    """Symmetric matrices of columns, by their names.

    `correlation` has Spearman's rank correlation of numbers, -1 to 1. `information` has the mutual
    information of two columns as a share of the smaller entropy, 0 (independent) to 1 (one is a
    function of the other). NaN where nothing can be said.
    """

    numbers: tuple[str, ...]
    correlation: Matrix
    names: tuple[str, ...]
    information: Matrix
    rows: int

    def strongest(self, count: int) -> list[Pair]:
        """Return the pairs with the most mutual information, at most `count`."""
        return _strongest(self.names, self.information, count)

    def correlated(self, count: int) -> list[Pair]:
        """Return the pairs with the greatest absolute correlation, at most `count`."""
        return _strongest(self.numbers, self.correlation, count)

    def with_column(self, name: str) -> list[Pair]:
        """Return the pairs of a column with all others, the strongest first."""
        if name not in self.names:
            return []
        row = self.information[self.names.index(name)]
        pairs = [
            Pair(name, other, float(value))
            for other, value in zip(self.names, row, strict=True)
            if other != name and np.isfinite(value)
        ]
        return sorted(pairs, key=lambda one: -one.value)


def associate(
    numbers: Mapping[str, Matrix], categories: Mapping[str, Sequence[str | None]], rows: int
) -> Associations:
    """Return the associations of columns of `rows` rows.

    Args:
        numbers: columns of numbers, shape (rows,), NaN where a value is missing.
        categories: columns of texts or bools, None where a value is missing.
        rows: the number of rows.
    """
    codes = {name: number_codes(values) for name, values in numbers.items()}
    codes |= {name: text_codes(values) for name, values in categories.items()}
    known = {name: one for name, one in codes.items() if 1 < len(np.unique(one)) <= MAX_VALUES}
    names = tuple(known)
    information = np.full((len(names), len(names)), np.nan)
    for at, first in enumerate(names):
        for other in range(at + 1):
            share = information_share(known[first], known[names[other]])
            information[at, other] = information[other, at] = share
    return Associations(
        tuple(numbers), _rank_correlation(list(numbers.values())), names, information, rows
    )


def number_codes(values: Matrix) -> Codes:
    """Return the bin of each number, shape (n,); a missing one has a bin of its own."""
    present = values[np.isfinite(values)]
    if not len(present):
        return np.zeros(len(values), np.intp)
    bins = max(3, min(MAX_BINS, isqrt(len(values) // ROWS_PER_CELL)))
    if len(np.unique(present)) <= bins:
        edges = np.unique(present)[1:]
    else:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1]))
    found = np.searchsorted(edges, values, side="right")
    return np.where(np.isfinite(values), found, len(edges) + 1).astype(np.intp)


def text_codes(values: Sequence[str | None]) -> Codes:
    """Return a number for each different text, shape (n,)."""
    positions: dict[str | None, int] = {}
    return np.array([positions.setdefault(one, len(positions)) for one in values], np.intp)


def information_share(first: Codes, second: Codes) -> float:
    """Return the mutual information of two columns as a share of the smaller entropy, 0 to 1.

    The bias of small counts is subtracted (Miller and Madow).
    """
    size = len(first)
    left, right = (
        np.unique(first, return_inverse=True)[1],
        np.unique(second, return_inverse=True)[1],
    )
    joint = np.unique(left * (int(right.max()) + 1) + right)
    cells = np.bincount(left * (int(right.max()) + 1) + right)
    entropies = [_entropy(np.bincount(one)) for one in (left, right)]
    smaller = min(entropies)
    if smaller <= 0:
        return float("nan")
    raw = sum(entropies) - _entropy(cells)
    bias = (len(joint) - (int(left.max()) + 1) - (int(right.max()) + 1) + 1) / (2 * size)
    return float(np.clip((raw - max(0.0, bias)) / smaller, 0.0, 1.0))


def _entropy(counts: npt.NDArray[np.intp]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _rank_correlation(columns: Sequence[Matrix]) -> Matrix:
    found = np.full((len(columns), len(columns)), np.nan)
    present = [np.isfinite(column) for column in columns]
    ranks = [
        stats.rankdata(np.where(mask, column, 0.0)) if mask.all() else None
        for column, mask in zip(columns, present, strict=True)
    ]
    for at, first in enumerate(columns):
        for other in range(at + 1):
            both = present[at] & present[other]
            left, right = ranks[at], ranks[other]
            if left is None or right is None:
                left = stats.rankdata(first[both])
                right = stats.rankdata(columns[other][both])
            if len(left) > 2 and left.std() > 0 and right.std() > 0:
                value = float(np.corrcoef(left, right)[0, 1])
                found[at, other] = found[other, at] = value
    return found


def _strongest(names: Sequence[str], matrix: Matrix, count: int) -> list[Pair]:
    pairs = [
        Pair(names[other], names[at], float(matrix[at, other]))
        for at in range(len(names))
        for other in range(at)
        if np.isfinite(matrix[at, other])
    ]
    return sorted(pairs, key=lambda one: -abs(one.value))[:count]
