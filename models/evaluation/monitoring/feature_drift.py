"""Drift of each feature between a reference and newer rows: size and significance.

The size is the population stability index, PSI = sum of (q - p) ln(q / p) over bins with the shares
p in the reference and q in the newer rows (N. Siddiqi, "Credit risk scorecards", 2006). Bins of
numbers lie between the deciles of the reference; of categories, each of the most frequent ones in
the reference is a bin. Each bin's count is increased by `SMOOTHING`, so that an empty one has a
share. Without drift the expected PSI is about (bins - 1) (1 / n + 1 / m) for n and m rows
(`psi_by_chance`; B. Yurdakul, J. Naranjo, "Statistical properties of the population stability
index", J. of Risk Model Validation 14 (2020)).

The significance of numbers is that of the two-sample test of Kolmogorov and Smirnov, with its
asymptotic distribution; of categories, that of the chi-squared test of homogeneity. P-values are
adjusted for the number of features by Holm's method. Both tests assume independent rows: the
weather of one hour is in many rows, so that its p-values are too small. A missing value counts as a
value: below all numbers, and as a category.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal

import numpy as np

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.monitoring.features import (
    FeatureColumn,
    NumberColumn,
    fit_bins,
)
from modstream.models.evaluation.monitoring.significance import adjust_holm

MAX_FEATURES = 200
"""Number of features that are compared."""
NUMBER_BINS = 10
CATEGORY_BINS = 50
SMOOTHING = 0.5
MIN_ROWS = 50
"""Smallest number of rows on each side."""
MIN_EXPECTED = 5.0
"""Smallest expected count of a category in the chi-squared test; rarer ones are merged."""
NOTABLE_PSI, LARGE_PSI = 0.1, 0.25
"""The customary bounds of a notable and a large change (Siddiqi 2006)."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """The drift of one feature.

    `statistic` is the largest distance between the distribution functions (`ks`), or chi-squared
    (`chi2`). `p_value` is adjusted for all features. `missing_before` and `missing_after` are the
    shares of missing values.
    """

    feature: str
    test: Literal["ks", "chi2"]
    psi: float
    psi_by_chance: float
    statistic: float
    p_value: float
    missing_before: float
    missing_after: float


def measure_feature_drift(
    reference: Mapping[str, FeatureColumn], current: Mapping[str, FeatureColumn]
) -> tuple[FeatureDrift, ...]:
    """Return the drift of each feature of the reference that the newer rows have, largest first.

    There is none with less than `MIN_ROWS` rows on a side.
    """
    names = [name for name in reference if name in current][:MAX_FEATURES]
    found = [
        _compare(name, reference[name], current[name])
        for name in names
        if min(len(reference[name][0]), len(current[name][0])) >= MIN_ROWS
    ]
    adjusted = adjust_holm(np.array([one.p_value for one in found]))
    corrected = [
        replace(one, p_value=float(p_value)) for one, p_value in zip(found, adjusted, strict=True)
    ]
    return tuple(sorted(corrected, key=lambda one: -one.psi))


def population_stability_index(before: FloatArray, after: FloatArray) -> float:
    """Return the PSI of counts in the same bins, (k,), which are smoothed."""
    p = (before + SMOOTHING) / (before.sum() + SMOOTHING * len(before))
    q = (after + SMOOTHING) / (after.sum() + SMOOTHING * len(after))
    return float(np.sum((q - p) * np.log(q / p)))


def _compare(name: str, reference: FeatureColumn, current: FeatureColumn) -> FeatureDrift:
    is_number = isinstance(reference, NumberColumn)
    bins = fit_bins(reference, NUMBER_BINS if is_number else CATEGORY_BINS)
    size = len(bins.names)
    before, after = (
        np.bincount(bins.assign(one), minlength=size).astype(np.float64)
        for one in (reference, current)
    )
    used = before + after > 0
    before, after = before[used], after[used]
    if isinstance(reference, NumberColumn) and isinstance(current, NumberColumn):
        statistic, p_value = _kolmogorov_smirnov(reference.numbers, current.numbers)
    else:
        statistic, p_value = _chi_squared(before, after)
    return FeatureDrift(
        feature=name,
        test="ks" if is_number and isinstance(current, NumberColumn) else "chi2",
        psi=population_stability_index(before, after),
        psi_by_chance=(len(before) - 1) * (1 / before.sum() + 1 / after.sum()),
        statistic=statistic,
        p_value=p_value,
        missing_before=float(reference.missing().mean()),
        missing_after=float(current.missing().mean()),
    )


def _statistics() -> Any:  # noqa: ANN401 - a module
    """Return scipy's tests; most commands make none, and the import takes half a second."""
    return import_module("scipy.stats")


def _kolmogorov_smirnov(before: FloatArray, after: FloatArray) -> tuple[float, float]:
    samples = [np.where(np.isnan(one), -np.inf, one) for one in (before, after)]
    found = _statistics().ks_2samp(*samples, method="asymp")
    return float(found.statistic), float(found.pvalue)


def _chi_squared(before: FloatArray, after: FloatArray) -> tuple[float, float]:
    table = np.stack([before, after])
    expected = table.sum(0) * table.sum(1).min() / table.sum()
    rare = expected < MIN_EXPECTED
    merged = np.column_stack([table[:, ~rare], table[:, rare].sum(1)]) if rare.any() else table
    merged = merged[:, merged.sum(0) > 0]
    if merged.shape[1] < 2:
        return 0.0, 1.0
    found = _statistics().chi2_contingency(merged, correction=False)
    return float(found.statistic), float(found.pvalue)
