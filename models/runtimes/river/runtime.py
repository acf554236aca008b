"""Runtime of models that learn row by row, on River: https://riverml.xyz."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from river.base import Classifier, Estimator, Regressor

from modstream.models.errors import LearnError, PredictError
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.artifact import pack, unpack
from modstream.models.runtimes.river.forecast import ForecastRuntime
from modstream.models.runtimes.river.mini_batch import Classes, predict_many
from modstream.models.runtimes.river.safe_pickle import clone
from modstream.models.runtimes.river.single_pass import RiverRow, make_learn_one
from modstream.models.runtimes.runtime import LearningRuntime, Outputs, output_shape
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

__all__ = ["RiverRuntime", "load", "pack"]


def load(artifact: bytes, card: ModelCard) -> LearningRuntime:
    """Read an artifact written by `pack`.

    Raises:
        ForbiddenGlobal: the pickle refers to an object outside the allow-list.
        UnreadableArtifact: it is damaged, not a River model, or of another River release.
    """
    model, last_period = unpack(artifact)
    if card.task == "forecast":
        return ForecastRuntime(model, card, last_period)
    return RiverRuntime(model, card)


class RiverRuntime:
    """A River model that predicts and learns each row independently of the batch."""

    name = "river"

    def __init__(self, model: Estimator, card: ModelCard) -> None:
        self._model = model
        self._card = card

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`.

        An untrained classifier gives every class the same probability.
        """
        task, classes = self._card.task, self._card.classes
        predict_one = _PREDICT_ONE[task]
        with translate_library_errors(partial(PredictError, self.name)):
            outputs = predict_many(self._model, task, classes, batch)
            if outputs is None:
                one_by_one = [predict_one(self._model, classes, row) for row in batch.rows()]
                outputs = np.array(one_by_one, np.float64)
            return outputs.reshape(output_shape(self._card, batch.size))

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn row by row, in order; an anomaly detector learns rows without their labels."""
        with translate_library_errors(partial(LearnError, self.name)):
            if self._card.task == "anomaly":
                for row in batch.rows():
                    self._model.learn_one(row)
                return
            for row, label in zip(batch.rows(), labels, strict=True):
                self._learn_one(row, label)

    @cached_property
    def _learn_one(self) -> Callable[[RiverRow, Scalar], None]:
        """Return the learning function; built on first use, as most copies only predict."""
        return make_learn_one(self._model)

    def copy(self) -> Self:
        """Copy through a pickle, which is several times faster than `copy.deepcopy`."""
        return type(self)(clone(self._model), self._card)

    def snapshot(self) -> bytes:
        """Serialize the model with `pack`."""
        return pack(self._model)


def _probability(model: Classifier, classes: Classes, row: RiverRow) -> float:
    """Return the probability of the positive class: the card's second class, or True."""
    probabilities = model.predict_proba_one(row)
    positive = classes[1] if classes else True
    return float(probabilities.get(positive, 0.0)) if probabilities else 0.5


def _probabilities(model: Classifier, classes: Classes, row: RiverRow) -> list[float]:
    probabilities = model.predict_proba_one(row)
    if not probabilities:
        return [1 / len(classes)] * len(classes)
    return [float(probabilities.get(label, 0.0)) for label in classes]


def _value(model: Regressor, _classes: Classes, row: RiverRow) -> float:
    return float(model.predict_one(row))


def _score(model: Any, _classes: Classes, row: RiverRow) -> float:  # noqa: ANN401 - detector or pipeline
    return float(model.score_one(row))


_PREDICT_ONE: Mapping[Task, Callable[[Any, Classes, RiverRow], float | list[float]]] = (
    MappingProxyType(
        {
            "binary": _probability,
            "multiclass": _probabilities,
            "regression": _value,
            "anomaly": _score,
        }
    )
)
