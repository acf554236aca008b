"""Alarms on a stream of errors, by River's detectors: https://riverml.xyz/latest/api/drift."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from river import drift

RECENT = 50
"""Values whose mean says how it is after a change."""


class Rise(NamedTuple):
    """A mean that rose: over so many values before, and over the last ones."""

    values: int
    before: float
    after: float


@dataclass(slots=True)
class Watch:
    """Watches a stream for a rise of its mean; begins anew after each change.

    ADWIN: A. Bifet, R. Gavaldà, "Learning from time-changing data with adaptive windowing", SDM
    2007. KSWIN: C. Raab et al., Neurocomputing 416 (2020). Page-Hinkley: E. S. Page, Biometrika 41
    (1954).
    """

    kind: str = "adwin"
    sensitivity: float = 2e-3
    _detector: Any = None
    _count: int = 0
    _sum: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def __post_init__(self) -> None:
        """Begin."""
        self._begin()

    def add(self, values: Sequence[float]) -> Rise | None:
        """Take values in order; the last rise among them, if there is one."""
        found = None
        for value in values:
            self._detector.update(value)
            self._count += 1
            self._sum += value
            self._recent.append(value)
            if self._detector.drift_detected:
                change = self._change()
                found = change if change.after > change.before else found
                self._begin()
        return found

    def _change(self) -> Rise:
        recent = list(self._recent)
        earlier = self._count - len(recent)
        before = (self._sum - sum(recent)) / earlier if earlier else float(np.mean(recent))
        return Rise(earlier, before, float(np.mean(recent)))

    def _begin(self) -> None:
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
