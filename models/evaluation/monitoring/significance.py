"""Corrections of p-values for many tests at once, and intervals of shares.

Sources: E. B. Wilson, "Probable inference, the law of
succession, and statistical inference", JASA 22 (1927). S. Holm, "A simple sequentially rejective
multiple test procedure", Scand. J. Statist. 6 (1979). Y. Benjamini, D. Yekutieli, "The control of
the false discovery rate in multiple testing under dependency", Annals of Statistics 29 (2001).
"""

from typing import TypeVar

import numpy as np

from modstream.models.evaluation.arrays import FloatArray

Number = TypeVar("Number", float, FloatArray)

NORMAL_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


def adjust_benjamini_yekutieli(p_values: FloatArray) -> FloatArray:
    """Return p-values (k,) adjusted so that those below a level have at most that FDR.

    FDR is the false discovery rate: the expected share of false ones among those found. The
    procedure holds for tests that depend on each other in any way.
    """
    count = len(p_values)
    if not count:
        return p_values
    harmonic = float(np.sum(1 / np.arange(1, count + 1)))
    order = np.argsort(p_values)
    scaled = p_values[order] * count * harmonic / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def adjust_holm(p_values: FloatArray) -> FloatArray:
    """Return p-values (k,) adjusted so that any one below a level is false with at most it."""
    count = len(p_values)
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(count, 0, -1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def wilson_interval(successes: Number, counts: Number) -> tuple[Number, Number]:
    """Return the ends of the 95 % intervals of shares of `counts`, which are not 0.

    Both are numbers, or both arrays (k,), and so are the ends.
    """
    share, squared = successes / counts, NORMAL_95**2
    centre = (share + squared / (2 * counts)) / (1 + squared / counts)
    half = NORMAL_95 * (share * (1 - share) / counts + squared / (4 * counts**2)) ** 0.5
    half = half / (1 + squared / counts)
    # Rounding must not leave a share of 0 or 1 outside its interval.
    low = np.minimum(np.maximum(centre - half, 0.0), share)
    return low, np.maximum(np.minimum(centre + half, 1.0), share)
