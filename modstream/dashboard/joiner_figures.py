"""Label delays, label coverage and the joiner's counters, from its metrics. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from modstream.audit.names import NameTable
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.dashboard.quality import finite
from modstream.dashboard.snapshots import Coverage, DelayBucket, VersionCoverage

MAX_PARTITION_SETS = 200
"""Number of sets of partitions, one for each joiner, whose newest metrics are kept."""
MAX_VERSIONS = 100
"""Number of versions whose coverage is kept, as many as the joiner counts."""
MAX_DELAYS = 1000
"""Number of buckets of label delays that are read."""
MAX_PARTITIONS = 1000
"""Number of partitions of a joiner's metrics that are read."""

T = TypeVar("T")
Order = tuple[int, int]
"""Timestamp and offset of a record."""


@dataclass(slots=True)
class NewestByPartitions(Generic[T]):
    """The newest value of each joiner: each counts what is in its own partitions.

    A value that shares a partition with a newer one was written before a rebalance or a restart,
    and is dropped. Values may be added in any order.
    """

    _values: dict[frozenset[str], tuple[Order, T]] = field(default_factory=dict)

    def add(self, partitions: frozenset[str], order: Order, value: T) -> None:
        """Add a value that covers some partitions."""
        overlapping = [
            known
            for known in self._values
            if known == partitions or not known.isdisjoint(partitions)
        ]
        if any(self._values[known][0] > order for known in overlapping):
            return
        for known in overlapping:
            del self._values[known]
        self._values[partitions] = order, value
        if len(self._values) > MAX_PARTITION_SETS:
            del self._values[min(self._values, key=lambda known: self._values[known][0])]

    def newest_order(self) -> Order:
        """Return the order of the newest value; (-1, -1) without one."""
        return max((order for order, _ in self._values.values()), default=(-1, -1))

    def values(self) -> list[T]:
        """Return the values of all joiners."""
        return [value for _, value in self._values.values()]


@dataclass(slots=True)
class JoinerFigures:
    """A fold over the metrics of joiners, in any order."""

    models: NameTable
    _delays: NewestByPartitions[dict[int, int]] = field(default_factory=NewestByPartitions)
    _counts: NewestByPartitions[Mapping[str, float]] = field(default_factory=NewestByPartitions)
    _coverage: dict[tuple[str, int], NewestByPartitions[Mapping[str, float]]] = field(
        default_factory=dict
    )

    def add(self, record: Record, metrics: Metrics) -> None:
        """Add metrics of the kinds `joiner`, `label_delay` and `coverage`; ignore others."""
        partitions = frozenset(list(metrics.offsets)[:MAX_PARTITIONS])
        order = (record.timestamp, record.offset)
        if metrics.kind == "joiner":
            self._counts.add(partitions, order, finite(metrics.values))
        elif metrics.kind == "label_delay":
            self._delays.add(partitions, order, read_delays(metrics.values))
        elif metrics.kind == "coverage" and metrics.model is not None and metrics.version:
            name = self.models[metrics.model], metrics.version
            self._coverage_of(name).add(partitions, order, finite(metrics.values))

    def counts(self) -> dict[str, float]:
        """Return the newest counters by name, summed over all joiners."""
        return sum_values(self._counts.values())

    def delays(self) -> dict[int, int]:
        """Return the labels by the upper bound of their delay (ms), of all joiners."""
        total: Counter[int] = Counter()
        for counts in self._delays.values():
            total.update(counts)
        return {bound: count for bound, count in total.items() if count > 0}

    def coverage(self, model: str, version: int) -> Coverage | None:
        """Return the newest coverage of a version."""
        found = self._coverage.get((model, version))
        if found is None:
            return None
        values = sum_values(found.values())
        predicted, labelled = int(values.get("predicted", 0)), int(values.get("labelled", 0))
        return Coverage(
            at=found.newest_order()[0],
            predicted=predicted,
            labelled=labelled,
            missing=int(values.get("missing", 0)),
            share=labelled / predicted if predicted else 0.0,
        )

    def all_coverage(self) -> tuple[VersionCoverage, ...]:
        """Return the coverage of all versions, those with most predictions first."""
        found = [
            VersionCoverage(model, version, coverage)
            for model, version in self._coverage
            if (coverage := self.coverage(model, version)) is not None
        ]
        return tuple(sorted(found, key=lambda one: (-one.coverage.predicted, one.model)))

    def model_coverage(self, model: str) -> float | None:
        """Return the share of a model's predictions that have a label, over its versions."""
        versions = [version for name, version in self._coverage if name == model]
        found = [one for v in versions if (one := self.coverage(model, v)) is not None]
        predicted = sum(one.predicted for one in found)
        return sum(one.labelled for one in found) / predicted if predicted else None

    def _coverage_of(self, name: tuple[str, int]) -> NewestByPartitions[Mapping[str, float]]:
        found = self._coverage.get(name)
        if found is None:
            if len(self._coverage) == MAX_VERSIONS:
                oldest = min(self._coverage, key=lambda one: self._coverage[one].newest_order())
                del self._coverage[oldest]
            found = self._coverage[name] = NewestByPartitions()
        return found


def read_delays(values: Mapping[str, float]) -> dict[int, int]:
    """Return the labels by the upper bound of their delay (ms) in metrics of label delays."""
    return {
        int(bound): int(count)
        for bound, count in list(finite_delays(values).items())[:MAX_DELAYS]
        if bound.isdecimal() and len(bound) < 20
    }


def finite_delays(values: Mapping[str, float]) -> dict[str, float]:
    """Return the counts that are finite and not negative."""
    return {bound: count for bound, count in values.items() if 0 <= count < float("inf")}


def sum_values(values: list[Mapping[str, float]]) -> dict[str, float]:
    """Return the sum of values by name."""
    total: dict[str, float] = {}
    for one in values:
        for name, value in one.items():
            total[name] = total.get(name, 0.0) + value
    return total


def delay_buckets(delays: Mapping[int, int]) -> tuple[DelayBucket, ...]:
    """Return the histogram of label delays, the shortest first."""
    return tuple(DelayBucket(upper, delays[upper]) for upper in sorted(delays))
