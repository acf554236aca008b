"""Models that learn row by row, by River: https://riverml.xyz."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from river.base import Classifier, Estimator, Regressor

from modstream.models.errors import LearnError, PredictError
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.river.artifact import pack, unpack
from modstream.models.runtimes.river.forecast import ForecastRuntime
from modstream.models.runtimes.river.mini_batch import Classes, answers_at_once
from modstream.models.runtimes.river.safe_pickle import copied
from modstream.models.runtimes.river.single_pass import learner
from modstream.models.runtimes.runtime import LearningRuntime, Outputs, output_shape
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.input_schema import Batch, Scalar

__all__ = ["RiverRuntime", "load", "pack"]

Row = dict[str, Scalar]


def load(artifact: bytes, card: ModelCard) -> LearningRuntime:
    """Read an artifact written by `pack`.

    Raises:
        ForbiddenGlobal: the pickle refers to something outside the allow-list.
        UnreadableArtifact: it is damaged, no River model, or of another River release.
    """
    model, period = unpack(artifact)
    if card.task == "forecast":
        return ForecastRuntime(model, card, period)
    return RiverRuntime(model, card)


class RiverRuntime:
    """A River model in memory that answers each row by itself."""

    name = "river"

    def __init__(self, model: Estimator, card: ModelCard) -> None:
        self._model = model
        self._card = card

    def predict(self, batch: Batch) -> Outputs:
        """Answer every row as `Runtime.predict` says; an untrained model is undecided."""
        answer = _ANSWERS[self._card.task]
        with translated(partial(PredictError, self.name)):
            known = self._card.classes
            answers = answers_at_once(self._model, self._card.task, known, batch)
            if answers is None:
                one_by_one = [answer(self._model, known, row) for row in batch.rows()]
                answers = np.array(one_by_one, np.float64)
            return answers.reshape(output_shape(self._card, batch.size))

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn row by row, in order; a detector of anomalies learns rows without their labels."""
        with translated(partial(LearnError, self.name)):
            if self._card.task == "anomaly":
                for row in batch.rows():
                    self._model.learn_one(row)
                return
            for row, label in zip(batch.rows(), labels, strict=True):
                self._learn(row, label)

    @cached_property
    def _learn(self) -> Callable[[Row, Scalar], None]:
        """Made by those that learn: most copies only answer."""
        return learner(self._model)

    def copy(self) -> Self:
        """Copy by way of a pickle, which is several times faster than `copy.deepcopy`."""
        return type(self)(copied(self._model), self._card)

    def snapshot(self) -> bytes:
        """Write the model as `pack` does."""
        return pack(self._model)


def _probability(model: Classifier, classes: Classes, row: Row) -> float:
    """Say how likely the positive class is: the second of the card's, or else True, or else 1."""
    probabilities = model.predict_proba_one(row)
    positive = classes[1] if classes else True
    return float(probabilities.get(positive, 0.0)) if probabilities else 0.5


def _probabilities(model: Classifier, classes: Classes, row: Row) -> list[float]:
    probabilities = model.predict_proba_one(row)
    if not probabilities:
        return [1 / len(classes)] * len(classes)
    return [float(probabilities.get(label, 0.0)) for label in classes]


def _value(model: Regressor, _classes: Classes, row: Row) -> float:
    return float(model.predict_one(row))


def _score(model: Any, _classes: Classes, row: Row) -> float:  # noqa: ANN401 - detector or pipeline
    return float(model.score_one(row))


_ANSWERS: Mapping[Task, Callable[[Any, Classes, Row], float | list[float]]] = MappingProxyType(
    {
        "binary": _probability,
        "multiclass": _probabilities,
        "regression": _value,
        "anomaly": _score,
    }
)
