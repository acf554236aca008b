"""Metrics of a retrainer."""

from collections.abc import Iterator
from time import perf_counter

from prometheus_client.core import Metric

from modstream.telemetry import learning_metrics
from modstream.telemetry.instruments import Histogram, Tally, gauge

OUTCOMES = ("published", "rejected", "not_trained", "interrupted", "failed", "abandoned")
"""What may become of a retraining."""


class RetrainerMetrics:
    """The series of a retrainer."""

    def __init__(self) -> None:
        self._records = Tally(learning_metrics.RETRAINER_RECORDS)
        self._runs = Tally.beginning(learning_metrics.RETRAINER_RUNS, OUTCOMES)
        self._seconds = Histogram(learning_metrics.RETRAINER_SECONDS)
        self._began: float | None = None

    def count_records(self, records: int) -> None:
        """Count records that were read."""
        self._records.add(records)

    def begin(self) -> None:
        """Note that a retraining begins."""
        self._began = perf_counter()

    def cancel(self) -> None:
        """Note that there was nothing to retrain."""
        self._began = None

    def end(self, outcome: str) -> None:
        """Count a retraining that ended."""
        self._runs.add(1, (outcome,))
        if self._began is not None:
            self._seconds.observe(perf_counter() - self._began)
        self._began = None

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        for instrument in (self._records, self._runs, self._seconds):
            yield instrument.family()
        yield gauge(learning_metrics.RETRAINER_ACTIVE, self._began is not None)
