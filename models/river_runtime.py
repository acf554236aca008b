"""Models that learn row by row, by River: https://riverml.xyz."""

import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import river
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from river.base import Classifier, Estimator, Regressor

from models.card import ModelCard, Task
from models.errors import LearnError, PredictError, UnreadableArtifact
from models.foreign import translated
from models.pickles import dumps_checked, loads
from models.runtime import Outputs, output_shape
from models.schema import Batch, Scalar

_MAGIC = b"modstream-river "
_FORMAT = 1
_LONGEST_HEADER = 256

Row = dict[str, Scalar]
Classes = tuple[Scalar, ...]


class _Envelope(BaseModel):
    """The line of JSON before the pickle: who wrote it, which decides who can read it."""

    model_config = ConfigDict(frozen=True)

    format: int = Field(ge=1)
    river: str
    python: str


def pack(model: Estimator) -> bytes:
    """Write a River model as an artifact: one line of envelope, then its pickle.

    Raises:
        ForbiddenGlobal: the model could not be loaded back by the allow-list.
        UnreadableArtifact: the model could not be loaded back for another reason.
    """
    envelope = _Envelope(format=_FORMAT, river=river.__version__, python=platform.python_version())
    return _MAGIC + envelope.model_dump_json().encode() + b"\n" + dumps_checked(model)


def load(artifact: bytes, card: ModelCard) -> "RiverRuntime":
    """Read an artifact written by `pack`.

    Raises:
        ForbiddenGlobal: the pickle refers to something outside the allow-list.
        UnreadableArtifact: it is damaged, no River model, or of another River release.
    """
    header, newline, pickled = artifact.partition(b"\n")
    if not artifact.startswith(_MAGIC) or not newline or len(header) > _LONGEST_HEADER:
        raise UnreadableArtifact("river", "it does not begin with an envelope")
    _check_release(header.removeprefix(_MAGIC))
    model = loads(pickled)
    if not isinstance(model, Estimator):
        raise UnreadableArtifact("river", f"it holds a {type(model).__name__}, not a model")
    return RiverRuntime(model, card)


def _check_release(header: bytes) -> None:
    """Refuse another format or River release: pickles do not survive 0.25 to 0.26, for one."""
    try:
        envelope = _Envelope.model_validate_json(header)
    except ValidationError as error:
        raise UnreadableArtifact("river", "its envelope is not valid") from error
    if envelope.format != _FORMAT:
        raise UnreadableArtifact("river", f"it has format {envelope.format}, this is {_FORMAT}")
    if _release(envelope.river) != _release(river.__version__):
        reason = f"River {envelope.river} wrote it, this is River {river.__version__}; relearn it"
        raise UnreadableArtifact("river", reason)


def _release(version: str) -> list[str]:
    return version.split(".")[:2]


class RiverRuntime:
    """A River model in memory: the one runtime that learns."""

    name = "river"

    def __init__(self, model: Estimator, card: ModelCard) -> None:
        self._model = model
        self._card = card

    def predict(self, batch: Batch) -> Outputs:
        """Answer every row as `Runtime.predict` says; an untrained model is undecided."""
        answer = _ANSWERS[self._card.task]
        with translated(partial(PredictError, self.name)):
            answers = [answer(self._model, self._card.classes, row) for row in batch.rows()]
            return np.array(answers, np.float64).reshape(output_shape(self._card, batch.size))

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn row by row, in order, as `LearningRuntime.learn` says."""
        with translated(partial(LearnError, self.name)):
            for row, label in zip(batch.rows(), labels, strict=True):
                self._model.learn_one(row, label)

    def copy(self) -> Self:
        """Copy by way of a pickle, which is several times faster than `copy.deepcopy`."""
        return type(self)(loads(dumps_checked(self._model)), self._card)

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


_ANSWERS: Mapping[Task, Callable[[Any, Classes, Row], float | list[float]]] = MappingProxyType(
    {"binary": _probability, "multiclass": _probabilities, "regression": _value}
)
