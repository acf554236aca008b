"""Forecasts waiting for labels: each step is scored against the label of its own period."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.wire.feedback_codec import AnyFeedback, AnyJoinedPrediction
from modstream.models.schema.card import OUTPUT_NAMES, PERIOD_FEATURE
from modstream.models.schema.class_labels import finite_number

MAX_STEPS = 1000
"""Number of steps of one forecast that are scored; later ones are ignored."""
MAX_PENDING_STEPS = 100_000
"""Number of steps that wait for their labels; beyond it the oldest periods are dropped."""
MAX_PERIOD = 2**53
"""Largest magnitude of a period's number."""


class ForecastStep(NamedTuple):
    """One value of a forecast and its label; `number` is 1 for the forecast's first period."""

    model: str
    version: int
    number: int
    value: float
    label: float


class PendingStep(NamedTuple):
    """One value of a forecast whose label is not known yet."""

    model: str
    version: int
    number: int
    value: float


@dataclass(slots=True)
class PendingForecasts:
    """Matches forecast steps with labels by period; keeps at most `max_periods` of each.

    The label of a request is the value of the period that the request named.
    """

    max_periods: int = 1000
    _pending: OrderedDict[int, list[PendingStep]] = field(default_factory=OrderedDict)
    _labels: OrderedDict[int, float] = field(default_factory=OrderedDict)
    _step_count: int = 0

    def add(
        self, feedback: AnyFeedback, forecasts: Sequence[AnyJoinedPrediction]
    ) -> list[ForecastStep]:
        """Add the label of one feedback and those of its predictions that are forecasts.

        Returns:
            All steps that they complete.
        """
        completed: list[ForecastStep] = []
        period = read_period((feedback.features or {}).get(PERIOD_FEATURE))
        label = finite_number(feedback.label)
        if period is not None and label is not None:
            self._labels[period] = label
            completed += [ForecastStep(*step, label) for step in self._take(period)]
        for prediction in forecasts:
            completed += self._match_forecast(prediction)
        while len(self._labels) > self.max_periods:
            self._labels.popitem(last=False)
        while len(self._pending) > self.max_periods or self._step_count > MAX_PENDING_STEPS:
            self._take(next(iter(self._pending)))
        return completed

    def _take(self, period: int) -> list[PendingStep]:
        """Remove and return the steps that wait for a period's label."""
        steps = self._pending.pop(period, [])
        self._step_count -= len(steps)
        return steps

    def _match_forecast(self, prediction: AnyJoinedPrediction) -> Iterator[ForecastStep]:
        """Yield the steps of a forecast whose labels are known; store the others."""
        first = read_period(prediction.outputs.get(PERIOD_FEATURE, 0))
        values = prediction.outputs.get(OUTPUT_NAMES["forecast"])
        if first is None or not isinstance(values, list | tuple):
            return
        for number, given in enumerate(values[:MAX_STEPS], start=1):
            value, period = finite_number(given), first + number - 1
            if value is None:
                continue
            step = PendingStep(prediction.model, prediction.version, number, value)
            if period in self._labels:
                yield ForecastStep(*step, self._labels[period])
            else:
                self._pending.setdefault(period, []).append(step)
                self._step_count += 1


def read_period(value: object) -> int | None:
    """Return the number of a period, or None if the value is none."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_PERIOD:
        return None
    return value
