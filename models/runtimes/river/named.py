"""Runtimes of River models whose outputs are not one array of numbers."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from modstream.models.errors import PredictError
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.base import LearningRiverModel, RiverModel
from modstream.models.runtimes.river.inspection import BOOLEANS, RiverRow, plain_value
from modstream.models.runtimes.runtime import NamedOutputs
from modstream.models.schema.card import ModelCard, Target
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

NO_PREDICTION = math.nan
"""Stands for an output that the model does not have yet, such as a label before the first one."""


class NamedRiverRuntime(LearningRiverModel):
    """A River model that predicts labels, clusters or features, and learns online."""

    def __init__(self, model: Any, card: ModelCard, *, impure: bool | None = None) -> None:  # noqa: ANN401 - any of River's classes
        super().__init__(model, card, impure=impure)
        self._predict_one: Callable[[Any, RiverRow], dict[str, Any]]
        if card.task == "clustering":
            self._predict_one = _cluster
        elif card.task == "transformation":
            self._predict_one = _features
        else:
            own = dict(zip(self._labels, card.classes or BOOLEANS, strict=True))
            self._predict_one = _label_of(own)

    def predict_rows(self, batch: Batch) -> NamedOutputs:
        """Predict every row; see `NamedRuntime.predict_rows`."""
        with translate_library_errors(partial(PredictError, self.name)):
            return self._predict_each(self._predict_one, self._rows(batch))


class MultioutputRuntime(RiverModel):
    """A River model of several outputs. It does not learn online: a label is a single value."""

    def predict_rows(self, batch: Batch) -> NamedOutputs:
        """Predict every row; see `NamedRuntime.predict_rows`."""
        targets = self._card.targets
        is_regression = self._card.task == "multioutput_regression"
        read = _target_values if is_regression else _target_labels
        with translate_library_errors(partial(PredictError, self.name)):
            return self._predict_each(
                lambda model, row: read(model.predict_one(row), targets), self._rows(batch)
            )


def _label_of(classes: Mapping[Any, Scalar]) -> Callable[[Any, RiverRow], dict[str, Any]]:
    """Return a function that predicts the class; `classes` are by the model's own labels."""

    def predict(model: Any, row: RiverRow) -> dict[str, Any]:  # noqa: ANN401 - any of River's classes
        label = model.predict_one(row)
        if label is None:
            return {"label": NO_PREDICTION}
        if label not in classes:
            known = ", ".join(map(repr, classes))
            raise PredictError("river", f"it predicts {label!r}, which is none of {known}")
        return {"label": classes[label]}

    return predict


def _cluster(model: Any, row: RiverRow) -> dict[str, Any]:  # noqa: ANN401 - any of River's classes
    cluster = plain_value(model.predict_one(row))
    return {"label": NO_PREDICTION if cluster is None else cluster}


def _features(model: Any, row: RiverRow) -> dict[str, Any]:  # noqa: ANN401 - any of River's classes
    """Return the transformed features by name."""
    features = model.transform_one(row)
    return {"features": {name_of(key): plain_value(value) for key, value in features.items()}}


def _target_values(predicted: Mapping[Any, Any], targets: tuple[Target, ...]) -> dict[str, Any]:
    values = {name_of(key): value for key, value in predicted.items()}
    return {"values": {one.name: float(values.get(one.name, NO_PREDICTION)) for one in targets}}


def _target_labels(predicted: Mapping[Any, Any], targets: tuple[Target, ...]) -> dict[str, Any]:
    labels = {name_of(key): plain_value(value) for key, value in predicted.items()}
    return {"labels": {one.name: _class_of(labels, one) for one in targets}}


def _class_of(labels: Mapping[str, Any], target: Target) -> Any:  # noqa: ANN401 - any label
    """Return a target's label as one of its classes: some models predict 0 and 1 for booleans."""
    label = labels.get(target.name, NO_PREDICTION)
    known = ClassLabels(target.classes).canonical(label)
    return label if known is None else known


def name_of(key: Any) -> str:  # noqa: ANN401 - any hashable value
    """Return the name of an output that River identifies by any value, such as a tuple."""
    if isinstance(key, tuple):
        return "_".join(map(name_of, key))
    return key if isinstance(key, str) else str(plain_value(key))
