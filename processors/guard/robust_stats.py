"""Robust distance of a number from recent numbers, which outliers among them hardly change.

The distance from the median in units of 1.4826 times the median absolute deviation (MAD), which is
the standard deviation if the numbers are normally distributed: F. R. Hampel, "The influence curve
and its role in robust estimation", JASA 69 (1974). Up to half of the numbers may be arbitrary
without moving the median or the MAD far.
"""

import numpy as np

from modstream.models.evaluation.arrays import FloatArray

MAD_TO_SIGMA = 1.4826
"""Standard deviation divided by MAD, for a normal distribution."""
REFRESH_PARTS = 20
"""The statistics are recomputed whenever 1 / `REFRESH_PARTS` of the window is new."""


class RobustWindow:
    """A window of the newest `size` vectors of `width` numbers, and distances from their median.

    Where more than half of the numbers are equal, the MAD is 0 and every distance is 0. A missing
    number (NaN) does not count, and its distance is 0.
    """

    def __init__(self, size: int, width: int, min_rows: int) -> None:
        self._recent: FloatArray = np.empty((size, width))
        self._min_rows = min_rows
        self._seen = 0
        self._estimated = 0
        self._median: FloatArray = np.zeros(width)
        self._deviation: FloatArray = np.full(width, np.inf)

    def distances(self, values: FloatArray) -> FloatArray:
        """Return the distances, in robust deviations, of new vectors; both have shape (n, width).

        The new vectors count as part of the window, so that a first batch is compared with itself.
        With fewer than `min_rows` vectors, all distances are 0.
        """
        size = len(self._recent)
        known = self._recent[: min(self._seen, size)]
        if len(known) + len(values) < self._min_rows:
            return np.zeros_like(values)
        if self._seen + len(values) - self._estimated >= size // REFRESH_PARTS:
            self._estimate(np.concatenate([known, values])[-size:])
            self._estimated = self._seen + len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.abs(values - self._median) / self._deviation
        return np.nan_to_num(found, nan=0.0, posinf=np.inf)

    def add(self, values: FloatArray) -> None:
        """Add vectors (n, width) to the window."""
        size = len(self._recent)
        slots = (self._seen + np.arange(len(values))[-size:]) % size
        self._recent[slots] = values[-size:]
        self._seen += len(values)

    def _estimate(self, values: FloatArray) -> None:
        self._median = _median(values)
        with np.errstate(over="ignore"):
            deviation = MAD_TO_SIGMA * _median(np.abs(values - self._median))
        self._deviation = np.where(deviation > 0, deviation, np.inf)


def _median(values: FloatArray) -> FloatArray:
    """Return the median of each column of values (n, width), without missing ones; 0 if all are."""
    is_missing = np.isnan(values)
    if not is_missing.any():
        return np.median(values, axis=0)
    known = np.where(is_missing.all(axis=0), 0.0, values)
    return np.nanmedian(known, axis=0)
