"""Forecasts that wait for their periods to come true: each step is held against its own label."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.wire.feedback_codec import Saying, Told
from modstream.models.schema.card import PERIOD


class Step(NamedTuple):
    """One value of a forecast whose truth is known: 1 is the first period of the forecast."""

    scored: Saying
    number: int
    value: float
    truth: float


@dataclass(slots=True)
class Outlooks:
    """What was forecast for which period, and what came true, for the latest `periods` labelled.

    The label of a request is the value of the period that it asked for.
    """

    periods: int = 1000
    _open: OrderedDict[int, list[tuple[Saying, int, float]]] = field(default_factory=OrderedDict)
    _truths: OrderedDict[int, float] = field(default_factory=OrderedDict)

    def add(self, feedback: Told) -> Iterator[Step]:
        """Take the forecasts and the truth of one feedback; gives every step they complete."""
        period = (feedback.features or {}).get(PERIOD)
        if isinstance(period, int) and isinstance(feedback.label, int | float):
            truth = float(feedback.label)
            self._truths[period] = truth
            for scored, number, value in self._open.pop(period, ()):
                yield Step(scored, number, value, truth)
        for scored in feedback.predictions:
            if "forecast" in scored.outputs:
                yield from self._hold(scored)
        for kept in (self._open, self._truths):
            while len(kept) > self.periods:
                kept.popitem(last=False)

    def _hold(self, scored: Saying) -> Iterator[Step]:
        """Complete the steps of a forecast that are known already and hold the others."""
        first = scored.outputs.get(PERIOD, 0)
        for number, value in enumerate(scored.outputs["forecast"], start=1):
            period = first + number - 1
            if period in self._truths:
                yield Step(scored, number, value, self._truths[period])
            else:
                self._open.setdefault(period, []).append((scored, number, value))
