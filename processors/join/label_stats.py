"""Label delays, and label coverage by model version: counters, no I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, log2

from modstream.broker.wire.contracts import JoinedPrediction, Prediction

BUCKETS_PER_DOUBLING = 4
"""Delay buckets between a duration and twice that duration: each is 19% wider than the previous
one, as in an exponential histogram of scale 2,
https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram"""
MAX_DELAY_MS = 2**53
"""Longer delays, of labels with impossible times, count as this one."""
MAX_VERSIONS = 100
"""Number of versions that are tracked: the ones that predicted most recently."""


@dataclass(slots=True)
class LabelCoverage:
    """One version's joinable predictions: the total, those with a label, those given up."""

    predicted: int = 0
    labelled: int = 0
    missing: int = 0

    def merge(self, other: "LabelCoverage") -> None:
        """Add another partition's counts."""
        self.predicted += other.predicted
        self.labelled += other.labelled
        self.missing += other.missing

    def values(self) -> dict[str, float]:
        """Return the counts by name, and the share of predictions that have a label so far."""
        share = self.labelled / self.predicted if self.predicted else 0.0
        return {
            "predicted": self.predicted,
            "labelled": self.labelled,
            "missing": self.missing,
            "coverage": share,
        }


@dataclass(slots=True)
class LabelStats:
    """One partition's counts.

    `delays` are counted by the upper bound of their bucket (ms). `versions` maps "model/version"
    to its coverage, ordered by the last prediction, the most recent one at the end.
    """

    delays: Counter[int] = field(default_factory=Counter)
    versions: dict[str, LabelCoverage] = field(default_factory=dict)

    def count_prediction(self, prediction: JoinedPrediction | Prediction) -> None:
        """Count a prediction that can be joined with a label."""
        name = f"{prediction.model}/{prediction.version}"
        coverage = self.versions.pop(name, None) or LabelCoverage()
        coverage.predicted += 1
        self.versions[name] = coverage
        if len(self.versions) > MAX_VERSIONS:
            del self.versions[next(iter(self.versions))]

    def count_labelled(self, predictions: Iterable[JoinedPrediction]) -> None:
        """Count predictions that were joined with their label."""
        for coverage in self._coverage_of(predictions):
            coverage.labelled += 1

    def count_missing(self, predictions: Iterable[JoinedPrediction]) -> None:
        """Count predictions that were given up without a label."""
        for coverage in self._coverage_of(predictions):
            coverage.missing += 1

    def count_delay(self, milliseconds: int) -> None:
        """Count the delay of a label: its event time minus its request's."""
        self.delays[delay_bucket(milliseconds)] += 1

    def merge(self, other: "LabelStats") -> None:
        """Add another partition's counts."""
        self.delays.update(other.delays)
        for name, coverage in other.versions.items():
            self.versions.setdefault(name, LabelCoverage()).merge(coverage)

    def _coverage_of(self, predictions: Iterable[JoinedPrediction]) -> Iterable[LabelCoverage]:
        for prediction in predictions:
            coverage = self.versions.get(f"{prediction.model}/{prediction.version}")
            if coverage is not None:
                yield coverage


def delay_bucket(milliseconds: int) -> int:
    """Return the inclusive upper bound (ms) of a delay's bucket; 0 if the label came first."""
    if milliseconds <= 0:
        return 0
    bounded = min(milliseconds, MAX_DELAY_MS)
    return int(2 ** (ceil(log2(bounded) * BUCKETS_PER_DOUBLING) / BUCKETS_PER_DOUBLING))


def delay_quantile(delays: Mapping[int, float], share: float) -> int | None:
    """Return the bucket bound (ms) that a share of the labels do not exceed; None without any."""
    wanted, seen = share * sum(delays.values()), 0.0
    for bound in sorted(delays):
        seen += delays[bound]
        if seen >= wanted:
            return bound
    return None
