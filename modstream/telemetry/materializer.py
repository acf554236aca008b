"""Metrics of a materializer, read from its own counts."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import Metric

from modstream.telemetry import serving_metrics
from modstream.telemetry.instruments import counter_family, gauge


class StoredPredictions(Protocol):
    """The counts of a materializer."""

    written: int
    batches: int

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many records were not stored, by reason."""

    @property
    def is_waiting(self) -> bool:
        """Whether the store is not available."""


class MaterializerMetrics:
    """The series of a materializer."""

    def __init__(self, counts: StoredPredictions) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        counts = self._counts
        yield counter_family(serving_metrics.MATERIALIZER_WRITTEN, {(): counts.written})
        yield counter_family(serving_metrics.MATERIALIZER_BATCHES, {(): counts.batches})
        skipped = {(reason,): float(number) for reason, number in dict(counts.skipped).items()}
        yield counter_family(serving_metrics.MATERIALIZER_SKIPPED, skipped)
        yield gauge(serving_metrics.MATERIALIZER_WAITING, counts.is_waiting)
