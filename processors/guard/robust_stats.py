"""How far a number lies from the bulk of recent ones, whatever the few others are.

The distance from the median in units of 1.4826 times the median absolute deviation, which for
normal numbers is the standard deviation: F. R. Hampel, "The influence curve and its role in robust
estimation", JASA 69 (1974). Up to half of the numbers may be anything without moving either far.
"""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
NORMAL = 1.4826
REFRESH = 20
"""Medians are taken anew each time that one part in so many of the window is new."""


class RobustWindow:
    """The newest `size` vectors of `width` numbers, and how far others lie from them.

    Numbers of which more than half are the same have no robust deviation: nothing is far from them.
    """

    def __init__(self, size: int, width: int, fewest: int) -> None:
        self._recent: Values = np.empty((size, width))
        self._fewest = fewest
        self._seen = 0
        self._estimated = 0
        self._median: Values = np.zeros(width)
        self._deviation: Values = np.full(width, np.inf)

    def distances(self, values: Values) -> Values:
        """Robust deviations from the median, (n, width), of new vectors (n, width).

        They count among the recent ones, so that a first batch is judged by its own bulk. While
        fewer than `fewest` are known, nothing is far.
        """
        size = len(self._recent)
        known = self._recent[: min(self._seen, size)]
        if len(known) + len(values) < self._fewest:
            return np.zeros_like(values)
        if self._seen + len(values) - self._estimated >= size // REFRESH:
            self._estimate(np.concatenate([known, values])[-size:])
            self._estimated = self._seen + len(values)
        with np.errstate(over="ignore"):
            return np.abs(values - self._median) / self._deviation

    def add(self, values: Values) -> None:
        """Count vectors (n, width) among the recent ones."""
        size = len(self._recent)
        places = (self._seen + np.arange(len(values))[-size:]) % size
        self._recent[places] = values[-size:]
        self._seen += len(values)

    def _estimate(self, values: Values) -> None:
        self._median = np.median(values, axis=0)
        with np.errstate(over="ignore"):
            deviation = NORMAL * np.median(np.abs(values - self._median), axis=0)
        self._deviation = np.where(deviation > 0, deviation, np.inf)
