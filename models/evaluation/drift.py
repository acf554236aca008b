"""Drift detection on a stream of numbers, with River: https://riverml.xyz/latest/api/drift."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from river import drift

RECENT_VALUES = 50
"""Number of newest values whose mean is reported as the mean after a shift."""


class MeanShift(NamedTuple):
    """A detected change of a stream's mean.

    `before` is the mean of the `values_before` values since the last shift, without the newest
    `RECENT_VALUES`; `after` is the mean of those newest values.
    """

    values_before: int
    before: float
    after: float


@dataclass(slots=True)
class DriftDetector:
    """A detector of changes in a stream's mean, which starts afresh after each detected change.

    `kind` is a key of `DETECTORS`. `sensitivity` is ADWIN's delta, KSWIN's alpha, or sets the
    threshold of Page-Hinkley; a smaller value raises fewer alarms.

    ADWIN: A. Bifet, R. Gavaldà, "Learning from time-changing data with adaptive windowing", SDM
    2007. KSWIN: C. Raab et al., Neurocomputing 416 (2020). Page-Hinkley: E. S. Page, Biometrika 41
    (1954).
    """

    kind: str = "adwin"
    sensitivity: float = 2e-3
    _detector: Any = None
    _count: int = 0
    _sum: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_VALUES))

    def __post_init__(self) -> None:
        """Create River's detector."""
        self._reset()

    def update_many(self, values: Sequence[float]) -> MeanShift | None:
        """Process values in order; return the last rise of the mean among them, if any."""
        shifts = filter(None, map(self.update, values))
        rises = [shift for shift in shifts if shift.after > shift.before]
        return rises[-1] if rises else None

    def update(self, value: float) -> MeanShift | None:
        """Process one value; return the shift, up or down, that it reveals, if any."""
        self._detector.update(value)
        self._count += 1
        self._sum += value
        self._recent.append(value)
        if not self._detector.drift_detected:
            return None
        shift = self._mean_shift()
        self._reset()
        return shift

    def _mean_shift(self) -> MeanShift:
        recent = list(self._recent)
        values_before = self._count - len(recent)
        after = float(np.mean(recent))
        before = (self._sum - sum(recent)) / values_before if values_before else after
        return MeanShift(values_before, before, after)

    def _reset(self) -> None:
        self._detector = DETECTORS[self.kind](self.sensitivity)
        self._count, self._sum = 0, 0.0
        self._recent.clear()


DETECTORS: Mapping[str, Callable[[float], Any]] = MappingProxyType(
    {
        "adwin": lambda sensitivity: drift.ADWIN(delta=sensitivity),
        "kswin": lambda sensitivity: drift.KSWIN(alpha=sensitivity, seed=0),
        "page_hinkley": lambda sensitivity: drift.PageHinkley(
            threshold=-5 * log(sensitivity), mode="up"
        ),
    }
)
"""Factories of River's detectors, by name; each takes the sensitivity."""
