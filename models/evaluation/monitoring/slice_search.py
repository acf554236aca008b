"""The search for slices with a greater loss than the rest, with a bound on false discoveries.

The idea of the search: Y. Chung et al., "Slice Finder: automated data slicing for model
validation", ICDE 2019. Every value of a feature and every pair of values of two features with at
least `min_rows` rows is tested once: which slices are tested depends on the features only, not on
the losses. A slice is tested by a one-sided test of its mean loss against that of all other rows
(`mean_tests`). A pair is also tested against the other rows of each of its two values, and has the
greatest of the three p-values: it is found only if it is worse than each value alone. The p-values
are adjusted by Benjamini and Yekutieli, since slices overlap.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.evaluation.monitoring.features import (
    Binned,
    FeatureColumn,
    bin_column,
)
from modstream.models.evaluation.monitoring.mean_tests import BlockSamples, RowSamples, Samples
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows
from modstream.models.evaluation.monitoring.significance import adjust_benjamini_yekutieli
from modstream.models.evaluation.monitoring.slices import (
    MAX_VALUES,
    NUMBER_BINS,
    Condition,
    SliceFigures,
    slice_figures,
)


@dataclass(frozen=True, slots=True)
class SliceSearch:
    """The bounds of a search.

    Attributes:
        level: the bound on the expected share of false slices among those that are found.
        min_rows: the smallest number of rows of a slice that is tested.
        min_share: the smallest share of all rows of a slice that is tested.
        max_features: the number of features that are searched, in the order given.
        max_values: the number of values of a categorical feature; the others are one.
        max_bins: the number of quantile bins of a numeric feature.
        max_found: the number of slices that are returned.
    """

    level: float = 0.05
    min_rows: int = 100
    min_share: float = 0.005
    max_features: int = 24
    max_values: int = MAX_VALUES
    max_bins: int = NUMBER_BINS
    max_found: int = 20


@dataclass(frozen=True, slots=True)
class FoundSlices:
    """The worst slices: those with the greatest loss first, the number tested, the number found."""

    slices: tuple[SliceFigures, ...] = ()
    tested: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The slices of one or two features that are large enough, with their p-values."""

    features: tuple[str, ...]
    codes: tuple[tuple[int, ...], ...]
    p_values: FloatArray
    losses: FloatArray


def find_worst_slices(
    rows: ScoredRows,
    columns: Mapping[str, FeatureColumn],
    search: SliceSearch | None = None,
    blocks: IntArray | None = None,
) -> FoundSlices:
    """Return the slices whose loss is greater than that of the rest, the worst first.

    Of several slices with the same rows, one is returned. `blocks` (n,) are the numbers of the
    blocks of rows that may depend on each other; without them, all rows are independent.
    """
    search = search or SliceSearch()
    names = list(columns)[: search.max_features]
    if len(rows) < 2 * search.min_rows:
        return FoundSlices()
    binned = {name: bin_column(columns[name], search.max_values, search.max_bins) for name in names}
    losses = rows.losses()
    candidates = list(_all_candidates(binned, _Summary.of(losses, blocks), search))
    if not candidates:
        return FoundSlices()
    adjusted = adjust_benjamini_yekutieli(np.concatenate([one.p_values for one in candidates]))
    means = np.concatenate([one.losses for one in candidates])
    owners = [(one, place) for one in candidates for place in range(len(one.codes))]
    significant = np.flatnonzero(adjusted <= search.level)
    worst = significant[np.argsort(-means[significant], kind="stable")]
    slices: list[SliceFigures] = []
    masks: list[np.ndarray] = []
    for number in worst.tolist():
        one, place = owners[number]
        conditions, inside = _select(binned, one.features, one.codes[place])
        if any(np.array_equal(inside, other) for other in masks):
            continue
        if len(slices) == search.max_found:
            break
        masks.append(inside)
        slices.append(slice_figures(rows, losses, inside, conditions, float(adjusted[number])))
    return FoundSlices(tuple(slices), len(adjusted), len(significant))


@dataclass(frozen=True, slots=True)
class _Summary:
    """Summarizes the losses (n,) of samples of rows, by block if there are `blocks` (n,)."""

    losses: FloatArray
    blocks: IntArray | None
    block_count: int

    @classmethod
    def of(cls, losses: FloatArray, blocks: IntArray | None) -> "_Summary":
        if blocks is None:
            return cls(losses, None, 1)
        distinct, numbers = np.unique(blocks, return_inverse=True)
        return cls(losses, numbers, len(distinct))

    def by_code(self, codes: IntArray, size: int) -> Samples:
        """Return the samples of the rows with each code, (n,), below `size`."""
        if self.blocks is None:
            weights = (None, self.losses, self.losses**2)
            return RowSamples(*(_sums(codes, one, size) for one in weights))
        places, shape = codes * self.block_count + self.blocks, (size, self.block_count)
        sums = (_sums(places, one, size * self.block_count) for one in (None, self.losses))
        return BlockSamples(*(one.reshape(shape) for one in sums))


def _all_candidates(
    binned: Mapping[str, Binned], summary: _Summary, search: SliceSearch
) -> Iterator[_Candidates]:
    smallest = max(search.min_rows, search.min_share * len(summary.losses))
    for name, one in binned.items():
        inside = summary.by_code(one.codes, len(one.names))
        kept = _large_ones(inside, smallest)
        p_values = inside.take(kept).greater(_rest(inside, kept))  # type: ignore[arg-type]
        codes = tuple((code,) for code in kept.tolist())
        yield _Candidates((name,), codes, p_values, inside.means()[kept])
    for first, second in combinations(binned, 2):
        yield _pair_candidates((first, second), (binned[first], binned[second]), summary, smallest)


def _pair_candidates(
    names: tuple[str, str], pair: tuple[Binned, Binned], summary: _Summary, smallest: float
) -> _Candidates:
    shape = (len(pair[0].names), len(pair[1].names))
    inside = summary.by_code(pair[0].codes * shape[1] + pair[1].codes, shape[0] * shape[1])
    kept = _large_ones(inside, smallest)
    own = inside.take(kept)
    p_values = own.greater(_rest(inside, kept))  # type: ignore[arg-type]
    for axis, places in enumerate(np.divmod(kept, shape[1])):
        # The other rows with the value of one feature, whatever the value of the other one is.
        sums = (one.reshape(*shape, *one.shape[1:]).sum(1 - axis)[places] for one in inside)
        parent = type(inside)(*sums)
        p_values = np.maximum(p_values, own.greater(parent - own))  # type: ignore[arg-type, operator]
    codes = tuple(divmod(code, shape[1]) for code in kept.tolist())
    return _Candidates(names, codes, p_values, inside.means()[kept])


def _large_ones(inside: Samples, smallest: float) -> IntArray:
    """Return which samples are large enough, as all other rows must be."""
    sizes = inside.sizes()
    return np.flatnonzero((sizes >= smallest) & (sizes.sum() - sizes >= smallest))


def _rest(inside: Samples, kept: IntArray) -> Samples:
    """Return all other rows of each of some samples."""
    return type(inside)(*(one.sum(0) - one[kept] for one in inside))


def _sums(codes: IntArray, weights: FloatArray | None, size: int) -> FloatArray:
    return np.bincount(codes, weights, size).astype(np.float64)


def _select(
    binned: Mapping[str, Binned], features: tuple[str, ...], codes: tuple[int, ...]
) -> tuple[tuple[Condition, ...], np.ndarray]:
    """Return the conditions of a slice, and which rows meet them, (n,)."""
    chosen = [(name, binned[name], code) for name, code in zip(features, codes, strict=True)]
    conditions = tuple((name, one.names[code]) for name, one, code in chosen)
    return conditions, np.logical_and.reduce([one.codes == code for _, one, code in chosen])
