"""How late labels come, and how many predictions of each version have theirs: counts, no I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, log2

from modstream.broker.wire.contracts import Prediction, Scored

STEPS = 4
"""Buckets of delay between a time and twice that time: each is 19% wider than the one below, as
in an exponential histogram of scale 2,
https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram"""
MOST_VERSIONS = 100
"""Versions that are followed at a time: those that predicted last."""


@dataclass(slots=True)
class Coverage:
    """Of one version's joinable predictions: how many there are, have a label, were given up."""

    predicted: int = 0
    labelled: int = 0
    missing: int = 0

    def add(self, other: "Coverage") -> None:
        """Add another partition's counts."""
        self.predicted += other.predicted
        self.labelled += other.labelled
        self.missing += other.missing

    def values(self) -> dict[str, float]:
        """The counts by name, and the share of predictions that have their label yet."""
        share = self.labelled / self.predicted if self.predicted else 0.0
        return {
            "predicted": self.predicted,
            "labelled": self.labelled,
            "missing": self.missing,
            "coverage": share,
        }


@dataclass(slots=True)
class LabelFigures:
    """One partition's counts.

    `delays` are by the upper bound of their bucket in ms, `versions` by "model/version", the one
    that predicted last at the end.
    """

    delays: Counter[int] = field(default_factory=Counter)
    versions: dict[str, Coverage] = field(default_factory=dict)

    def predicted(self, prediction: Prediction) -> None:
        """Count a prediction that may get a label."""
        name = f"{prediction.model}/{prediction.version}"
        coverage = self.versions.pop(name, None) or Coverage()
        coverage.predicted += 1
        self.versions[name] = coverage
        if len(self.versions) > MOST_VERSIONS:
            del self.versions[next(iter(self.versions))]

    def labelled(self, predictions: Iterable[Scored]) -> None:
        """Count predictions that met their label."""
        for coverage in self._of(predictions):
            coverage.labelled += 1

    def missed(self, predictions: Iterable[Scored]) -> None:
        """Count predictions that are given up."""
        for coverage in self._of(predictions):
            coverage.missing += 1

    def delayed(self, milliseconds: int) -> None:
        """Count the delay of a label: its event time less that of its request."""
        self.delays[bucket(milliseconds)] += 1

    def add(self, other: "LabelFigures") -> None:
        """Add another partition's counts."""
        self.delays.update(other.delays)
        for name, coverage in other.versions.items():
            self.versions.setdefault(name, Coverage()).add(coverage)

    def _of(self, predictions: Iterable[Scored]) -> Iterable[Coverage]:
        for scored in predictions:
            coverage = self.versions.get(f"{scored.model}/{scored.version}")
            if coverage is not None:
                yield coverage


def bucket(milliseconds: int) -> int:
    """The upper bound (ms, inclusive) of the bucket of a delay; 0 for a label that came first."""
    if milliseconds <= 0:
        return 0
    return int(2 ** (ceil(log2(milliseconds) * STEPS) / STEPS))


def quantile(delays: Mapping[int, float], share: float) -> int | None:
    """The delay (ms) that a share of the labels do not exceed, to the bound of its bucket."""
    wanted, seen = share * sum(delays.values()), 0.0
    for bound in sorted(delays):
        seen += delays[bound]
        if seen >= wanted:
            return bound
    return None
