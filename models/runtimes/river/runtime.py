"""Runtime of models that learn row by row, on River: https://riverml.xyz."""

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from modstream.models.errors import PredictError
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.artifact import pack, unpack
from modstream.models.runtimes.river.base import LearningRiverModel
from modstream.models.runtimes.river.forecast import ForecastRuntime
from modstream.models.runtimes.river.inspection import RiverRow
from modstream.models.runtimes.river.isolation import is_impure
from modstream.models.runtimes.river.mini_batch import Classes, predict_many
from modstream.models.runtimes.river.named import MultioutputRuntime, NamedRiverRuntime
from modstream.models.runtimes.runtime import (
    LearningRuntime,
    NamedLearningRuntime,
    NamedRuntime,
    Outputs,
    output_shape,
)
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

__all__ = ["RiverRuntime", "load", "make_runtime", "pack"]

RiverRuntimes = LearningRuntime | NamedLearningRuntime | NamedRuntime


def load(artifact: bytes, card: ModelCard) -> RiverRuntimes:
    """Read an artifact written by `pack`.

    Raises:
        ForbiddenGlobal: the pickle refers to an object outside the allow-list.
        UnreadableArtifact: it is damaged, not a River model, or of another River release; or the
            card's classes do not fit it.
    """
    return make_runtime(*unpack(artifact), card, impure=is_impure(artifact))


def make_runtime(
    model: Any,  # noqa: ANN401 - any of River's classes
    last_period: int | None,
    card: ModelCard,
    *,
    impure: bool | None = None,
) -> RiverRuntimes:
    """Return the runtime of a model.

    Args:
        model: the model, which the runtime owns from now on.
        last_period: the last period that a forecaster has learned.
        card: the card of its version.
        impure: whether predicting may change the model, if that is known.

    Raises:
        UnreadableArtifact: the card's classes do not fit it.
    """
    if card.task == "forecast":
        return ForecastRuntime(model, card, last_period)
    if card.output_form == "array":
        return RiverRuntime(model, card, impure=impure)
    # The label of several outputs is none that can be learned: labels are single values.
    if card.task.startswith("multioutput"):
        return MultioutputRuntime(model, card, impure=impure)
    return NamedRiverRuntime(model, card, impure=impure)


class RiverRuntime(LearningRiverModel):
    """A River model with an array of outputs."""

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`.

        An untrained classifier gives every class the same probability. Another model has no
        prediction as long as River has none.
        """
        with translate_library_errors(partial(PredictError, self.name)):
            outputs = predict_many(self._model, self._card.task, self._labels, batch)
            if outputs is None:
                one_by_one = self._predict_each(self._predict_one, self._rows(batch))
                outputs = np.array(one_by_one, np.float64)
            return outputs.reshape(output_shape(self._card, batch.size))

    @cached_property
    def _predict_one(self) -> Callable[[Any, RiverRow], float | list[float]]:
        """The function that predicts one row with a model."""
        if self._card.task == "binary":
            return _probability_of(self._labels[1])
        if self._card.task == "multiclass":
            return _probabilities_of(self._labels)
        return _score if self._card.task == "anomaly" else _value


def _probability_of(positive: Scalar) -> Callable[[Any, RiverRow], float]:
    """Return a function that predicts the probability of one of a model's own labels."""

    def predict(model: Any, row: RiverRow) -> float:  # noqa: ANN401 - any of River's classes
        probabilities = model.predict_proba_one(row)
        return float(probabilities.get(positive, 0.0)) if probabilities else 0.5

    return predict


def _probabilities_of(labels: Classes) -> Callable[[Any, RiverRow], list[float]]:
    """Return a function that predicts the probabilities of a model's own labels."""
    unknown = [1 / len(labels)] * len(labels)

    def predict(model: Any, row: RiverRow) -> list[float]:  # noqa: ANN401 - any of River's classes
        probabilities = model.predict_proba_one(row)
        return [float(probabilities.get(one, 0.0)) for one in labels] if probabilities else unknown

    return predict


def _value(model: Any, row: RiverRow) -> float:  # noqa: ANN401 - any of River's classes
    value = model.predict_one(row)
    return math.nan if value is None else float(value)


def _score(model: Any, row: RiverRow) -> float:  # noqa: ANN401 - any of River's classes
    return float(model.score_one(row))
