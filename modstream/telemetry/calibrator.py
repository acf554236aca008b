"""Metrics of a calibrator, read from its states."""

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import Metric

from modstream.processors.conformal.tracker import ConformalTracker
from modstream.telemetry import learning_metrics
from modstream.telemetry.instruments import counter_family, gauge, gauge_family


class WaitingWriter(Protocol):
    """What writes the states."""

    @property
    def is_waiting(self) -> bool:
        """Whether Redis is not available."""


class CalibratorMetrics:
    """The series of a calibrator."""

    def __init__(self, tracker: ConformalTracker, writer: WaitingWriter) -> None:
        self._tracker = tracker
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        states = sorted(self._tracker.states.copy().items())
        yield counter_family(
            learning_metrics.CALIBRATOR_LABELS,
            {(model,): float(state.labels) for model, state in states},
        )
        yield counter_family(
            learning_metrics.CALIBRATOR_OUTCOMES,
            {
                (model, outcome): float(count)
                for model, state in states
                for outcome, count in (
                    ("inside", state.outcomes.inside),
                    ("outside", state.outcomes.served - state.outcomes.inside),
                )
            },
        )
        yield gauge_family(
            learning_metrics.CALIBRATOR_COVERAGE,
            {(model,): state.coverage for model, state in states},
        )
        yield gauge_family(
            learning_metrics.CALIBRATOR_LEVEL,
            {(model,): 1 - state.adaptive.alpha for model, state in states},
        )
        yield gauge(learning_metrics.CALIBRATOR_WAITING, self._writer.is_waiting)
