"""Forecasts waiting for labels: each step is scored against the label of its own period."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.wire.feedback_codec import AnyFeedback, AnyJoinedPrediction
from modstream.models.schema.card import PERIOD_FEATURE


class ForecastStep(NamedTuple):
    """One value of a forecast and its label; `number` is 1 for the forecast's first period."""

    prediction: AnyJoinedPrediction
    number: int
    value: float
    label: float


class PendingStep(NamedTuple):
    """One value of a forecast whose label is not known yet."""

    prediction: AnyJoinedPrediction
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

    def add(self, feedback: AnyFeedback) -> list[ForecastStep]:
        """Add the forecasts and the label of one feedback; return all steps that they complete."""
        completed: list[ForecastStep] = []
        period = (feedback.features or {}).get(PERIOD_FEATURE)
        if isinstance(period, int) and isinstance(feedback.label, int | float):
            label = float(feedback.label)
            self._labels[period] = label
            completed += [ForecastStep(*step, label) for step in self._pending.pop(period, ())]
        for prediction in feedback.predictions:
            if "forecast" in prediction.outputs:
                completed += self._match_forecast(prediction)
        for bounded in (self._pending, self._labels):
            while len(bounded) > self.max_periods:
                bounded.popitem(last=False)
        return completed

    def _match_forecast(self, prediction: AnyJoinedPrediction) -> Iterator[ForecastStep]:
        """Yield the steps of a forecast whose labels are known; store the others."""
        first = prediction.outputs.get(PERIOD_FEATURE, 0)
        for number, value in enumerate(prediction.outputs["forecast"], start=1):
            period = first + number - 1
            step = PendingStep(prediction, number, value)
            if period in self._labels:
                yield ForecastStep(*step, self._labels[period])
            else:
                self._pending.setdefault(period, []).append(step)
