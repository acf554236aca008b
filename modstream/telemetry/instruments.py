"""Counters and histograms of one process, each written by one thread at a time.

They take no lock, so that an event pays for a few additions only.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Self, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from modstream.telemetry.metric_spec import MetricSpec

OTHER = "other"
"""The label value of all that has no series of its own."""
LabelValues = tuple[str, ...]
Labels = TypeVar("Labels", bound=LabelValues)


@dataclass(slots=True)
class Tally:
    """A counter for each set of label values; at most `spec.max_series`, and one for the rest."""

    spec: MetricSpec
    _counts: dict[LabelValues, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin a counter without labels at 0, so that its first increase is seen."""
        if not self.spec.labels:
            self._counts[()] = 0

    @classmethod
    def beginning(cls, spec: MetricSpec, values: Iterable[str]) -> Self:
        """Return counters that are 0 for some values of the one label, as Prometheus advises.

        The first increase of a series that was not there before is not seen.
        """
        tally = cls(spec)
        for value in values:
            tally.add(0, (value,))
        return tally

    def add(self, amount: float = 1, values: LabelValues = ()) -> None:
        """Add to the counter of some label values."""
        counts = self._counts
        if values in counts:
            counts[values] += amount
            return
        if len(counts) >= self.spec.max_series:
            values = (OTHER,) * len(values)
        counts[values] = counts.get(values, 0) + amount

    def family(self) -> Metric:
        """Return the counters as a scrape gets them."""
        return counter_family(self.spec, self._counts.copy())


class _Buckets:
    """The observations of one set of label values, in a bucket each."""

    __slots__ = ("counts", "exemplars", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}


@dataclass(slots=True)
class Histogram:
    """A histogram for each set of label values; at most `spec.max_series`, and one for the rest."""

    spec: MetricSpec
    _series: dict[LabelValues, _Buckets] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin a histogram without labels empty, so that its first increase is seen."""
        if not self.spec.labels:
            self._find(())

    def observe(
        self, value: float, values: LabelValues = (), *, trace_id: str = "", times: int = 1
    ) -> None:
        """Count a value, `times` times; a trace id becomes the exemplar of its bucket."""
        found = self._series.get(values) or self._find(values)
        number = bisect_left(self.spec.buckets, value)
        found.counts[number] += times
        found.sum += value * times
        if trace_id:
            found.exemplars[number] = Exemplar({"trace_id": trace_id}, value, time())

    def family(self) -> Metric:
        """Return the histograms as a scrape gets them."""
        family = HistogramMetricFamily(
            self.spec.name, self.spec.meaning, labels=list(self.spec.labels)
        )
        bounds = [*map(floatToGoString, self.spec.buckets), "+Inf"]
        for values, found in self._series.copy().items():
            total, buckets = 0, []
            exemplars = found.exemplars.copy()
            for number, (bound, count) in enumerate(zip(bounds, found.counts, strict=True)):
                total += count
                exemplar = exemplars.get(number)
                buckets.append((bound, total) if exemplar is None else (bound, total, exemplar))
            family.add_metric(values, buckets, found.sum)
        return family

    def _find(self, values: LabelValues) -> _Buckets:
        if values not in self._series and len(self._series) >= self.spec.max_series:
            values = (OTHER,) * len(values)
        return self._series.setdefault(values, _Buckets(len(self.spec.buckets) + 1))


def counter_family(spec: MetricSpec, counts: Mapping[Labels, float]) -> Metric:
    """Return counters by label values as a scrape gets them."""
    family = CounterMetricFamily(spec.name, spec.meaning, labels=list(spec.labels))
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def gauge_family(spec: MetricSpec, values: Mapping[Labels, float]) -> Metric:
    """Return gauges by label values as a scrape gets them, the first `spec.max_series` of them.

    What is beyond them is left out: unlike counts, values have no meaningful sum.
    """
    family = GaugeMetricFamily(spec.name, spec.meaning, labels=list(spec.labels))
    for labels, value in list(values.items())[: spec.max_series]:
        family.add_metric(labels, value)
    return family


def gauge(spec: MetricSpec, value: float) -> Metric:
    """Return one gauge without labels as a scrape gets it."""
    return gauge_family(spec, {(): value})


@dataclass(slots=True)
class Increases:
    """Increases of counters that other components keep, from the first time they are seen.

    A component continues its counters from a changelog or a version, which may be a little older
    than what it has counted before a crash, and gives them up with a partition. Prometheus would
    take a counter that becomes smaller for one that began at 0 again, and count it all twice.
    """

    _seen: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def update(self, source: str, counts: Mapping[str, float]) -> dict[str, float]:
        """Return by how much the counters of a source have grown since its last update."""
        before = self._seen.get(source)
        self._seen[source] = dict(counts)
        if before is None:
            return {}
        return {
            name: count - before.get(name, 0)
            for name, count in counts.items()
            if count > before.get(name, 0)
        }

    def keep(self, sources: Sequence[str]) -> None:
        """Forget all other sources: they may return with other counters."""
        self._seen = {name: self._seen[name] for name in sources if name in self._seen}
