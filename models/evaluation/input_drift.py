"""Input drift: detects features whose distribution changes, with ADWIN on each feature."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, log, sqrt
from typing import Any

from modstream.models.evaluation.drift import DriftDetector
from modstream.models.schema.input_schema import Batch

WARM_UP_VALUES = 200
"""Number of values from which a feature's mean and standard deviation are estimated."""
MAX_DEVIATIONS = 4.0
"""Distance from the mean, in standard deviations, at which values are clipped."""
MAX_CATEGORIES = 1000
"""Number of distinct strings counted per feature; any further string counts as unseen."""
MAX_CATEGORY_LENGTH = 100
"""Length up to which a string is told apart; strings with the same beginning count as one."""
MAX_MAGNITUDE = 1e150
"""Magnitude at which numbers are clipped, so that their squares are finite."""


@dataclass(slots=True)
class MeanShiftDetector:
    """A detector of changes in the mean of one numeric stream; it warms up again after each.

    ADWIN's test assumes values between 0 and 1. Values are therefore standardized by the mean and
    the standard deviation of the first `WARM_UP_VALUES`, clipped, and scaled to that range.
    """

    delta: float
    _warm_up_values: list[float] = field(default_factory=list)
    _mean: float = 0.0
    _spread: float = 0.0
    _detector: DriftDetector | None = None

    def update(self, value: float) -> float | None:
        """Process one value.

        Returns:
            The distance by which the mean has moved, in standard deviations, if a change is
            detected with this value; otherwise None.
        """
        if self._detector is None:
            self._warm_up(value)
            return None
        distance = min(max((value - self._mean) / self._spread, -MAX_DEVIATIONS), MAX_DEVIATIONS)
        shift = self._detector.update((distance + MAX_DEVIATIONS) / (2 * MAX_DEVIATIONS))
        if shift is None:
            return None
        self._detector = None
        return shift.after * 2 * MAX_DEVIATIONS - MAX_DEVIATIONS

    def _warm_up(self, value: float) -> None:
        self._warm_up_values.append(value)
        if len(self._warm_up_values) < WARM_UP_VALUES:
            return
        self._mean = sum(self._warm_up_values) / WARM_UP_VALUES
        variance = sum((one - self._mean) ** 2 for one in self._warm_up_values) / WARM_UP_VALUES
        self._spread = sqrt(variance) or max(abs(self._mean), 1.0)
        self._warm_up_values = []
        self._detector = DriftDetector(sensitivity=self.delta)


@dataclass(slots=True)
class CategorySurprise:
    """The surprise of each string in a stream: its negative log-frequency so far, in nats."""

    _counts: Counter[str] = field(default_factory=Counter)
    _total: int = 0

    def update(self, category: str) -> float:
        """Return the negative log of the string's smoothed frequency so far; then count it."""
        category = category[:MAX_CATEGORY_LENGTH]
        surprise = -log((self._counts[category] + 1) / (self._total + 2))
        if category in self._counts or len(self._counts) < MAX_CATEGORIES:
            self._counts[category] += 1
        self._total += 1
        return surprise


@dataclass(slots=True)
class InputDriftMonitor:
    """A monitor of each feature's distribution, on one row in `sample_every`.

    Numeric features are monitored by their mean, strings by the mean of their surprise. `delta` is
    ADWIN's delta, the probability of a false alarm, for all features together.
    """

    delta: float = 1e-6
    sample_every: int = 10
    _detectors: dict[str, MeanShiftDetector] = field(default_factory=dict)
    _surprises: dict[str, CategorySurprise] = field(default_factory=dict)
    _skip: int = 0

    def update(self, batch: Batch) -> dict[str, float]:
        """Process rows in order; return the features that drifted.

        Returns:
            The distance by which each drifted feature's mean has moved, in standard deviations
            of that feature (of its surprise for strings), by feature name.
        """
        start, self._skip = self._skip, (self._skip - batch.size) % self.sample_every
        drifted: dict[str, float] = {}
        for name, column in batch.columns.items():
            detector = self._detectors.get(name)
            if detector is None:
                detector = MeanShiftDetector(self.delta / len(batch.columns))
                self._detectors[name] = detector
            for value in self._numbers(name, column[start :: self.sample_every].tolist()):
                distance = detector.update(value)
                if distance is not None:
                    drifted[name] = distance
        return drifted

    def _numbers(self, name: str, values: Sequence[Any]) -> list[float]:
        """Return the surprise of each string, or the finite values of a numeric feature.

        Missing values are left out.
        """
        strings = [value for value in values if isinstance(value, str)]
        if strings:
            surprises = self._surprises.setdefault(name, CategorySurprise())
            return [surprises.update(value) for value in strings]
        numbers = (float(value) for value in values if value is not None)
        return [
            min(max(number, -MAX_MAGNITUDE), MAX_MAGNITUDE)
            for number in numbers
            if isfinite(number)
        ]
