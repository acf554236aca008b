"""Runtime of time-series models that learn value by value, on River's forecasters.

Requests and labels number their periods (days, months, ...). A River forecaster has no period
numbers; the runtime keeps the number of the last period learned and aligns the forecasts with it.
Labels that arrive late therefore reduce accuracy but never shift the periods.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np

from modstream.models.errors import LearnError, PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.river.safe_pickle import dumps_checked, loads
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.schema.card import HORIZON_FEATURE, PERIOD_FEATURE, ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

MAX_STEPS_AHEAD = 1000
"""Largest number of periods from the last one learned to the last one requested."""

SeriesRow = dict[str, Scalar]


class ForecastRuntime:
    """A River forecaster of one series, and the last period that it has learned.

    The card's schema has the integer features `period`, the first period requested, and `horizon`,
    the number of periods, with an upper bound. All other features are exogenous; a row's values
    apply to all periods of its forecast.

    Raises:
        UnreadableArtifact: the card's schema lacks these features or the bound.
    """

    name = "river"

    def __init__(self, model: Any, card: ModelCard, last_period: int | None) -> None:  # noqa: ANN401 - forecaster or pipeline
        kinds = {feature.name: feature.kind for feature in card.input_schema.features}
        requestable = (kinds.get(PERIOD_FEATURE), kinds.get(HORIZON_FEATURE))
        if requestable != ("int", "int") or card.max_horizon < 1:
            reason = (
                f"a forecaster needs the int features {PERIOD_FEATURE} and {HORIZON_FEATURE},"
                f" and an upper bound of {HORIZON_FEATURE}"
            )
            raise UnreadableArtifact(self.name, reason)
        self._model = model
        self._card = card
        self._last_period = last_period

    @property
    def next_period(self) -> int | None:
        """The first period that the model has not learned; None before it has learned any."""
        return None if self._last_period is None else self._last_period + 1

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`.

        Periods already learned are not forecast: the forecast of a row that requests one starts at
        the first period not learned yet.
        """
        outputs = np.full(output_shape(self._card, batch.size), np.nan)
        with translate_library_errors(partial(PredictError, self.name)):
            for output, row in zip(outputs, batch.rows(), strict=True):
                first, values = self._forecast_row(row)
                if np.isfinite(values).all():
                    output[: 1 + len(values)] = first, *values
        return outputs

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn the values of periods in order; learn the model's own forecast for missing ones.

        Raises:
            LearnError: a period is not after the last one, or more periods than the largest
                horizon are missing before it.
        """
        with translate_library_errors(partial(LearnError, self.name)):
            for row, label in zip(batch.rows(), labels, strict=True):
                self._learn_period(row, float(label))

    def copy(self) -> Self:
        """Copy through a pickle."""
        return type(self)(loads(dumps_checked(self._model)), self._card, self._last_period)

    def snapshot(self) -> bytes:
        """Serialize the model and its last period with `pack`."""
        return pack(self._model, self._last_period)

    def _forecast_row(self, row: SeriesRow) -> tuple[int, list[float]]:
        """Return the first period that is forecast, and the values from that period on."""
        period, horizon, exogenous = _split_row(row)
        if not 1 <= horizon <= self._card.max_horizon:
            reason = f"horizon {horizon} is not between 1 and {self._card.max_horizon}"
            raise PredictError(self.name, reason)
        ahead = 0 if self._last_period is None else max(0, period - self._last_period - 1)
        steps = ahead + horizon
        if steps > MAX_STEPS_AHEAD:
            raise PredictError(self.name, f"period {period} is too far after {self._last_period}")
        first = period if self._last_period is None else self._last_period + 1 + ahead
        return first, self._forecast_steps(steps, exogenous)[ahead:]

    def _learn_period(self, row: SeriesRow, value: float) -> None:
        period, _, exogenous = _split_row(row)
        missing = 0 if self._last_period is None else period - self._last_period - 1
        if missing < 0:
            raise LearnError(self.name, f"period {period} is not after {self._last_period}")
        if missing > self._card.max_horizon:
            reason = f"{missing} periods are missing between {self._last_period} and {period}"
            raise LearnError(self.name, reason)
        forecasts = self._forecast_steps(missing, exogenous) if missing else []
        for learned in (*forecasts, value):
            self._model.learn_one(y=learned, x=exogenous)
        self._last_period = period

    def _forecast_steps(self, steps: int, exogenous: SeriesRow) -> list[float]:
        future = [exogenous] * steps if exogenous else None
        return [float(value) for value in self._model.forecast(steps, future)]


def _split_row(row: SeriesRow) -> tuple[int, int, SeriesRow]:
    """Return a row's period, horizon and exogenous features."""
    exogenous = dict(row)
    period, horizon = exogenous.pop(PERIOD_FEATURE), exogenous.pop(HORIZON_FEATURE)
    return int(period), int(horizon), exogenous
