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


class Change(NamedTuple):
    """A mean that moved: over so many values before, and over the last ones."""

    values: int
    before: float
    after: float


@dataclass(slots=True)
class Watch:
    """Watches a stream for a change of its mean; begins anew after each.

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

    def add(self, values: Sequence[float]) -> Change | None:
        """Take values in order; the last rise among them, if there is one."""
        changes = filter(None, map(self.take, values))
        rises = [change for change in changes if change.after > change.before]
        return rises[-1] if rises else None

    def take(self, value: float) -> Change | None:
        """Take one value; the change that it makes known, up or down, if there is one."""
        self._detector.update(value)
        self._count += 1
        self._sum += value
        self._recent.append(value)
        if not self._detector.drift_detected:
            return None
        change = self._change()
        self._begin()
        return change

    def _change(self) -> Change:
        recent = list(self._recent)
        earlier = self._count - len(recent)
        before = (self._sum - sum(recent)) / earlier if earlier else float(np.mean(recent))
        return Change(earlier, before, float(np.mean(recent)))

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
