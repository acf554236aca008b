"""What every process measures: its health, its lag, its memory and processor time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from platform import python_version
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from modstream import __version__
from modstream.broker.wire.records import OffsetRanges
from modstream.process.health import HealthReport
from modstream.process.watchdog import WorkProbe
from modstream.telemetry.catalogue import BUILD_INFO, HEALTHY, LAG, PARTITION_LAG
from modstream.telemetry.instruments import gauge, gauge_family


class MetricSource(Protocol):
    """Has series to be scraped. Called by the thread of the metrics server."""

    def collect(self) -> Iterator[Metric]:
        """Yield the families of its series."""


Source = TypeVar("Source", bound=MetricSource)


@dataclass(slots=True)
class ProcessMetrics:
    """The metrics of one process, in a registry of its own. Without a registry nothing is measured.

    A service adds what it measures, whether metrics are served or not.
    """

    registry: CollectorRegistry | None = None
    _health: "HealthSource | None" = field(default=None, init=False)

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "ProcessMetrics":
        """Return the metrics of a process with those that all processes have."""
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        metrics = cls(registry)
        metrics._health = metrics.add(HealthSource())
        return metrics

    @property
    def is_on(self) -> bool:
        """Whether there is a registry."""
        return self.registry is not None

    def add(self, source: Source) -> Source:
        """Add a source of series, and return it."""
        if self.registry is not None:
            self.registry.register(_Adapter(source))
        return source

    def on_health(self, report: HealthReport) -> None:
        """Take a health report of this process."""
        if self._health is not None:
            self._health.report = report

    def probe(self, probe: WorkProbe) -> WorkProbe:
        """Return a watchdog's probe whose findings are measured."""
        return probe if self._health is None else MeasuredProbe(probe, self._health)


NO_METRICS = ProcessMetrics()
"""The metrics of a process that serves none."""


class _Adapter(Collector):
    """A source as the library wants its collectors: with a base class."""

    def __init__(self, source: MetricSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Yield the families of the source."""
        return self._source.collect()

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: sources have different names, which a test checks."""
        return iter(())


class HealthSource:
    """The latest health report and lag of a process; without a report there are no such series."""

    def __init__(self) -> None:
        self.report: HealthReport | None = None
        self.pending: OffsetRanges = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the versions, the health and the lag."""
        yield gauge_family(BUILD_INFO, {(__version__, python_version()): 1})
        report = self.report
        if report is None:
            return
        yield gauge(HEALTHY, report.is_healthy)
        if report.lag is not None:
            yield gauge(LAG, report.lag)
        lags = {
            (one.topic, str(one.partition)): float(end - start)
            for one, (start, end) in self.pending.items()
        }
        yield gauge_family(PARTITION_LAG, lags)


class MeasuredProbe:
    """A watchdog's probe, which keeps the offsets that were found to wait."""

    def __init__(self, probe: WorkProbe, health: HealthSource) -> None:
        self._probe, self._health = probe, health

    def pending(self) -> OffsetRanges:
        """Return the offsets that wait, and keep them."""
        self._health.pending = pending = self._probe.pending()
        return pending

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether these offsets hold a record."""
        return self._probe.has_records(ranges)

    def deliveries(self) -> int:
        """Return the probe's counter of deliveries."""
        return self._probe.deliveries()

    def drained_polls(self) -> int:
        """Return the probe's counter of drained polls."""
        return self._probe.drained_polls()
