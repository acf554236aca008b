"""A time series that learns value by value and says what comes next, by River's forecasters.

Requests number their periods (days, months, ...), and so do the values that come true. The model
itself only counts; the number of the last period that it has learned ties its count to theirs.
Whether labels are late, and by how many periods, therefore costs accuracy, never alignment.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np

from modstream.models.errors import LearnError, PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.river.safe_pickle import dumps_checked, loads
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.schema.card import HORIZON, PERIOD, ModelCard
from modstream.models.schema.input_schema import Batch, Scalar

FARTHEST = 1000
"""Periods between the last one learned and the last one asked for, at most."""

Row = dict[str, Scalar]


class ForecastRuntime:
    """One series in memory: a River forecaster, and the last period that it has learned.

    The schema has the integer features `period` and `horizon`, the latter with the bounds of what
    may be asked. All other features are exogenous: a row's hold for all periods of its forecast.

    Raises:
        UnreadableArtifact: the card's schema cannot ask for a forecast.
    """

    name = "river"

    def __init__(self, model: Any, card: ModelCard, period: int | None) -> None:  # noqa: ANN401 - forecaster or pipeline
        kinds = {feature.name: feature.kind for feature in card.input_schema.features}
        if (kinds.get(PERIOD), kinds.get(HORIZON)) != ("int", "int") or card.horizon < 1:
            reason = f"a forecast needs the int features {PERIOD} and {HORIZON}, the latter bounded"
            raise UnreadableArtifact(self.name, reason)
        self._model = model
        self._card = card
        self._period = period

    def predict(self, batch: Batch) -> Outputs:
        """Answer every row as `Runtime.predict` says.

        What is known already is not forecast: a row that asks for a period learned before is
        answered from the first one that was not.
        """
        answers = np.full(output_shape(self._card, batch.size), np.nan)
        with translated(partial(PredictError, self.name)):
            for answer, row in zip(answers, batch.rows(), strict=True):
                first, values = self._forecast(row)
                if np.isfinite(values).all():
                    answer[: 1 + len(values)] = first, *values
        return answers

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn the values of periods in order; of a few that are missing the model's own guess.

        Raises:
            LearnError: a period is not after the last one, or too many are missing before it.
        """
        with translated(partial(LearnError, self.name)):
            for row, label in zip(batch.rows(), labels, strict=True):
                self._learn(row, float(label))

    def copy(self) -> Self:
        """Copy by way of a pickle."""
        return type(self)(loads(dumps_checked(self._model)), self._card, self._period)

    def snapshot(self) -> bytes:
        """Write the model and its last period as `pack` does."""
        return pack(self._model, self._period)

    def _forecast(self, row: Row) -> tuple[int, list[float]]:
        """The first period that is forecast, and the values from there on."""
        asked, horizon, exogenous = _split(row)
        if not 1 <= horizon <= self._card.horizon:
            raise PredictError(self.name, f"horizon {horizon} is not 1 to {self._card.horizon}")
        ahead = 0 if self._period is None else max(0, asked - self._period - 1)
        steps = ahead + horizon
        if steps > FARTHEST:
            raise PredictError(self.name, f"period {asked} is too far after {self._period}")
        first = asked if self._period is None else self._period + 1 + ahead
        return first, self._ahead(steps, exogenous)[ahead:]

    def _learn(self, row: Row, value: float) -> None:
        period, _, exogenous = _split(row)
        missing = 0 if self._period is None else period - self._period - 1
        if missing < 0:
            raise LearnError(self.name, f"period {period} is not after {self._period}")
        if missing > self._card.horizon:
            reason = f"{missing} periods are missing between {self._period} and {period}"
            raise LearnError(self.name, reason)
        guesses = self._ahead(missing, exogenous) if missing else []
        for one in (*guesses, value):
            self._model.learn_one(y=one, x=exogenous)
        self._period = period

    def _ahead(self, steps: int, exogenous: Row) -> list[float]:
        known = [exogenous] * steps if exogenous else None
        return [float(value) for value in self._model.forecast(steps, known)]


def _split(row: Row) -> tuple[int, int, Row]:
    """A row's period, horizon, and exogenous features."""
    exogenous = {name: value for name, value in row.items() if name not in {PERIOD, HORIZON}}
    return int(row[PERIOD]), int(row[HORIZON]), exogenous
