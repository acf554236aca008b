"""Whether rows are still like those before them: River's ADWIN on each feature."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, log, sqrt
from typing import Any

from modstream.models.evaluation.drift import Watch
from modstream.models.schema.input_schema import Batch

WARM = 200
"""Values by which a feature's mean and spread are known well enough to watch it."""
REACH = 4.0
"""Standard deviations from the mean that still count as themselves; farther is as far."""
MOST_WORDS = 1000
"""Different words of a feature that are counted; any other is a rare one."""


@dataclass(slots=True)
class Meter:
    """One stream of numbers: tells when its mean has moved, and begins anew then.

    ADWIN wants numbers of about one size, so they are put into units of the spread of the first
    `WARM` ones.
    """

    sensitivity: float
    _first: list[float] = field(default_factory=list)
    _mean: float = 0.0
    _spread: float = 0.0
    _watch: Watch | None = None

    def add(self, value: float) -> float | None:
        """Take a number; by how many of its standard deviations the mean has moved, if it has."""
        if self._watch is None:
            self._warm(value)
            return None
        distance = min(max((value - self._mean) / self._spread, -REACH), REACH)
        change = self._watch.take((distance + REACH) / (2 * REACH))
        if change is None:
            return None
        self._watch = None
        return change.after * 2 * REACH - REACH

    def _warm(self, value: float) -> None:
        self._first.append(value)
        if len(self._first) < WARM:
            return
        self._mean = sum(self._first) / WARM
        variance = sum((one - self._mean) ** 2 for one in self._first) / WARM
        self._spread = sqrt(variance) or max(abs(self._mean), 1.0)
        self._first = []
        self._watch = Watch(sensitivity=self.sensitivity)


@dataclass(slots=True)
class Words:
    """How surprising each word of a stream is, in nats, by how often it came before."""

    _seen: Counter[str] = field(default_factory=Counter)
    _total: int = 0

    def surprise(self, word: str) -> float:
        """Count a word; -log of the share that it had before."""
        found = -log((self._seen[word] + 1) / (self._total + 2))
        if word in self._seen or len(self._seen) < MOST_WORDS:
            self._seen[word] += 1
        self._total += 1
        return found


@dataclass(slots=True)
class InputWatch:
    """Watches one row in `every` of those that it is shown, each feature by itself.

    Of numbers it watches the mean, of words how surprising they are. `sensitivity` is ADWIN's
    delta, the chance of a false alarm, of all features together.
    """

    sensitivity: float = 1e-6
    every: int = 10
    _meters: dict[str, Meter] = field(default_factory=dict)
    _words: dict[str, Words] = field(default_factory=dict)
    _skip: int = 0

    def add(self, batch: Batch) -> dict[str, float]:
        """Look at rows in order; the features that moved, each by how many standard deviations."""
        start, self._skip = self._skip, (self._skip - batch.size) % self.every
        found: dict[str, float] = {}
        for name, column in batch.columns.items():
            meter = self._meters.get(name)
            if meter is None:
                meter = self._meters[name] = Meter(self.sensitivity / len(batch.columns))
            for value in self._numbers(name, column[start :: self.every].tolist()):
                moved = meter.add(value)
                if moved is not None:
                    found[name] = moved
        return found

    def _numbers(self, name: str, values: Sequence[Any]) -> list[float]:
        if values and isinstance(values[0], str):
            words = self._words.setdefault(name, Words())
            return [words.surprise(value) for value in values]
        return [number for number in map(float, values) if isfinite(number)]
