"""The outputs of scikit-learn models by name: labels, margins, distances, targets, features."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator

from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import NamedOutputs
from modstream.models.runtimes.sklearn_introspection import ModelInputs, quiet
from modstream.models.schema.card import ScoreKind, Target, Task
from modstream.models.schema.columns import Scalar

MAX_OUTPUT_FEATURES = 1000
"""Largest number of features that a transformation may return."""


class OutputSpec(NamedTuple):
    """What a model returns: the fields of its card that say so."""

    task: Task
    scores: ScoreKind
    classes: tuple[Scalar, ...]
    targets: tuple[Target, ...]


class NamedOutputReader:
    """Predicts rows as outputs by name; see `NamedRuntime.predict_rows`."""

    def __init__(self, model: BaseEstimator, spec: OutputSpec) -> None:
        self._model = model
        self._spec = spec
        self._labels = _class_by_label(model, spec)
        self._names: tuple[str, ...] = ()

    def predict(self, inputs: ModelInputs) -> NamedOutputs:
        """Predict every row of a model's inputs."""
        with quiet():
            task = self._spec.task
            if task == "multioutput_regression":
                return self._target_values(inputs)
            if task == "multioutput_classification":
                return self._target_labels(inputs)
            if task == "transformation":
                return self._features(inputs)
            return self._labelled(inputs)

    def _labelled(self, inputs: ModelInputs) -> NamedOutputs:
        labels = np.asarray(self._model.predict(inputs)).ravel().tolist()
        if self._spec.task != "clustering":
            labels = [self._labels.get(label, label) for label in labels]
        rows: NamedOutputs = [{"label": label} for label in labels]
        name, scores = self._scores(inputs)
        if scores is None:
            return rows
        if scores.ndim == 1:
            for row, score in zip(rows, scores.tolist(), strict=True):
                row[name] = score
            return rows
        names = [str(one) for one in self._spec.classes]
        for row, values in zip(rows, scores.tolist(), strict=True):
            row[name] = dict(zip(names, values, strict=True))
        return rows

    def _scores(self, inputs: ModelInputs) -> tuple[str, npt.NDArray[np.float64] | None]:
        """Return the name and the numbers, (n,) or (n, k), beside the labels; None if none."""
        kind, model = self._spec.scores, self._model
        if kind == "margin":
            margins = np.asarray(model.decision_function(inputs), dtype=np.float64)
            is_binary = len(self._spec.classes) == 2
            return ("margin", margins.reshape(-1)) if is_binary else ("margins", margins)
        if kind == "distance":
            return "distances", np.asarray(model.transform(inputs), dtype=np.float64)
        if kind == "probability":
            return "probabilities", np.asarray(model.predict_proba(inputs), dtype=np.float64)
        return "", None

    def _target_values(self, inputs: ModelInputs) -> NamedOutputs:
        values = np.asarray(self._model.predict(inputs), dtype=np.float64)
        names = [target.name for target in self._spec.targets]
        rows = values.reshape(-1, len(names)).tolist()
        return [{"values": dict(zip(names, row, strict=True))} for row in rows]

    def _target_labels(self, inputs: ModelInputs) -> NamedOutputs:
        found = dense(self._model.predict(inputs))
        targets = self._spec.targets
        lookups = [{one: one for one in target.classes} for target in targets]
        # An array of several targets has one type: the integer 1 beside a string is the string "1".
        by_name = [{str(one): one for one in target.classes} for target in targets]
        rows = []
        for labels in found.reshape(-1, len(targets)).tolist():
            named = {}
            for at, label in enumerate(labels):
                known = lookups[at].get(label)
                named[targets[at].name] = (
                    by_name[at].get(str(label), label) if known is None else known
                )
            rows.append({"labels": named})
        return rows

    def _features(self, inputs: ModelInputs) -> NamedOutputs:
        found = table_of(self._model.transform(inputs), len(inputs))
        width = found.shape[1]
        if len(self._names) != width:
            self._names = output_names(self._model, width)
        rows = found.tolist()
        return [{"features": dict(zip(self._names, row, strict=True))} for row in rows]


def table_of(found: Any, size: int) -> npt.NDArray[Any]:  # noqa: ANN401 - see `dense`
    """Return a transformer's outputs for `size` rows as an array (size, k).

    Raises:
        PredictError: there are more features than a transformation may return, or none.
    """
    shape = getattr(found, "shape", ())
    width = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    if width > MAX_OUTPUT_FEATURES:
        reason = f"it returns {width:,} features, the limit is {MAX_OUTPUT_FEATURES:,}"
        raise PredictError("sklearn", reason)
    if not width:
        raise PredictError("sklearn", "it returns no features")
    # Some transformers return one row as an array of one dimension.
    return dense(found).reshape(size, -1)


def dense(values: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - an array, sparse matrix or DataFrame
    """Return a dense array."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values)


def output_names(model: BaseEstimator, width: int) -> tuple[str, ...]:
    """Return the names of a transformer's outputs; numbered where it does not name each."""
    try:
        names = tuple(map(str, model.get_feature_names_out()))
    except (AttributeError, TypeError, ValueError):
        names = ()
    if len(set(names)) == width == len(names):
        return names
    return tuple(f"{type(model).__name__.lower()}{at}" for at in range(width))


def _class_by_label(model: BaseEstimator, spec: OutputSpec) -> Mapping[Any, Scalar]:
    """Return the card's class for each of the model's own; they may have been renamed."""
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray) or len(classes) != len(spec.classes):
        return {}
    return dict(zip(_scalars(classes), spec.classes, strict=True))


def _scalars(classes: npt.NDArray[Any]) -> Sequence[Any]:
    return list(classes.tolist())
