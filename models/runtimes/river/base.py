"""What all runtimes of River models share, except forecasters."""

import pickle
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, Self

from modstream.models.errors import LearnError
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.river.inspection import (
    RiverRow,
    model_labels,
    takes_text,
    without_active_learning,
)
from modstream.models.runtimes.river.isolation import IsolatedModel, is_impure
from modstream.models.runtimes.river.safe_pickle import clone
from modstream.models.runtimes.river.single_pass import is_supervised, make_learn_one
from modstream.models.schema.card import ModelCard
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

CLASSIFICATIONS = frozenset({"binary", "multiclass"})


class RiverModel:
    """A River model and its card. Each row is predicted independently of all others.

    A missing value is None, as River's imputers expect. A model that takes a text, such as a
    pipeline that begins with `TFIDF()`, gets the only feature of the row.

    Raises:
        UnreadableArtifact: the card's classes do not fit the model.
    """

    name = "river"

    def __init__(self, model: Any, card: ModelCard, *, impure: bool | None = None) -> None:  # noqa: ANN401 - any of River's classes
        self._model = model
        self._card = card
        self._known_impure = impure
        self._labels: tuple[Scalar, ...] = ()
        if card.task in CLASSIFICATIONS:
            self._labels = model_labels(model, card.classes)
        self._isolated: IsolatedModel | None = None

    def snapshot(self) -> bytes:
        """Serialize the model with `pack`."""
        return pack(self._model)

    def _predict_each(
        self, predict: Callable[[Any, RiverRow], Any], rows: Sequence[RiverRow]
    ) -> list[Any]:
        """Return what `predict(model, row)` returns for each row; the model does not change."""
        if not self._is_impure:
            model = self._predictor
            return [predict(model, row) for row in rows]
        if self._isolated is None:
            self._isolated = IsolatedModel(self._predictor)
        return self._isolated.predict_each(predict, rows)

    def _rows(self, batch: Batch) -> Sequence[RiverRow]:
        rows = self._card.input_schema.raw_rows(batch)
        if self._takes_text:
            return [next(iter(row.values())) for row in rows]
        return rows

    @cached_property
    def _is_impure(self) -> bool:
        """Whether predicting may change the model."""
        if self._known_impure is None:
            self._known_impure = is_impure(pickle.dumps(self._model, protocol=5))
        return self._known_impure

    @cached_property
    def _takes_text(self) -> bool:
        return takes_text(self._model)

    @cached_property
    def _predictor(self) -> Any:  # noqa: ANN401 - any of River's classes
        """The model to predict with; it shares its state with the one that learns."""
        return without_active_learning(self._model)


class LearningRiverModel(RiverModel):
    """A River model that also learns, row by row."""

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn row by row, in order; see `Learning.learn`.

        Labels of classifications are learned as the model's own labels for their classes. Models
        that learn without labels, such as clusterers, ignore them.
        """
        self._isolated = None
        with translate_library_errors(partial(LearnError, self.name)):
            own = self._own_labels(labels) if self._labels else labels
            for row, label in zip(self._rows(batch), own, strict=True):
                self._learn_one(row, label)

    def copy(self) -> Self:
        """Copy through a pickle, which is several times faster than `copy.deepcopy`."""
        return type(self)(clone(self._model), self._card, impure=self._known_impure)

    def _own_labels(self, labels: Sequence[Scalar]) -> list[Scalar]:
        """Return the model's own labels for labels of the stream."""
        known = self._own_by_label
        try:
            # Python's True equals 1, so that the type is a part of the key.
            return [known[type(label), label] for label in labels]
        except KeyError:
            return [self._own_label(label) for label in labels]

    def _own_label(self, label: Scalar) -> Scalar:
        index = self._classes.index_of(label)
        if index is None:
            raise LearnError(self.name, self._classes.reject(label))
        return self._labels[index]

    @cached_property
    def _own_by_label(self) -> dict[tuple[type, Scalar], Scalar]:
        """The model's own labels by the classes in the card, with their types."""
        classes = self._classes.classes
        return {(type(one), one): own for one, own in zip(classes, self._labels, strict=True)}

    @cached_property
    def _classes(self) -> ClassLabels:
        return ClassLabels.of(self._card.task, self._card.classes)

    @cached_property
    def _learn_one(self) -> Callable[[RiverRow, Scalar], None]:
        """Return the learning function; built on first use, as most copies only predict."""
        model = self._model
        if hasattr(model, "steps") or is_supervised(model):
            return make_learn_one(model)
        return lambda row, _label: model.learn_one(row)
