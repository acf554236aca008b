"""What a fitted scikit-learn model takes and returns: features, task, classes and inputs."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import ThreadpoolController

from modstream.models.errors import NotConvertible
from modstream.models.runtimes.runtime import Outputs
from modstream.models.runtimes.sklearn_features import FeatureFacts, FeatureReader
from modstream.models.runtimes.sklearn_structure import TEXT_VECTORIZERS, first_step, members
from modstream.models.schema.card import Task
from modstream.models.schema.columns import FeatureColumn, FeatureKind, Scalar
from modstream.models.schema.input_schema import Batch, Feature, InputSchema

TEXT_FEATURE = "text"
"""The name of the only feature of a model that takes texts."""

ModelInputs = pd.DataFrame | FeatureColumn
"""A DataFrame, a matrix (n, k), or the texts (n,) of a model that begins with a vectorizer."""


def infer_task(model: BaseEstimator) -> Task:
    """Return the task of a fitted model with one label or one value.

    Raises:
        NotConvertible: it is neither a regressor nor a classifier of such.
    """
    if is_regressor(model):
        return "regression"
    return "binary" if len(infer_classes(model)) == 2 else "multiclass"


def infer_classes(model: BaseEstimator) -> tuple[Scalar, ...]:
    """Return a fitted classifier's classes in the order of its outputs; () for a regressor.

    Raises:
        NotConvertible: it is neither a regressor nor a classifier, or its classes are no labels.
    """
    if is_regressor(model):
        return ()
    classes = getattr(model, "classes_", None)
    if not is_classifier(model) or not isinstance(classes, np.ndarray) or not len(classes):
        reason = "it is neither a fitted regressor nor a fitted classifier with a single label"
        raise NotConvertible(type(model).__name__, reason)
    return as_classes(model, classes)


def as_classes(model: BaseEstimator, classes: FeatureColumn) -> tuple[Scalar, ...]:
    """Return an array of classes as Python values.

    Raises:
        NotConvertible: one is not a finite number, a string or a boolean, or two have one name.
    """
    found = tuple(classes.tolist())
    for one in found:
        if not isinstance(one, str | int | float) or (
            isinstance(one, float) and not math.isfinite(one)
        ):
            reason = f"its class {one!r} is not a finite number, a string or a boolean"
            raise NotConvertible(type(model).__name__, reason)
    if len(set(map(str, found))) < len(found):
        raise NotConvertible(type(model).__name__, "two of its classes have the same name")
    return found


def feature_names(model: BaseEstimator) -> Sequence[str] | None:
    """Return the names of the columns that a model was fitted on; None for an array or texts."""
    while True:
        names = getattr(model, "feature_names_in_", None)
        if names is not None:
            return [str(name) for name in names]
        inner = next(members(model), None)
        if isinstance(model, Pipeline) or inner is None or _width(inner) != _width(model):
            return None
        model = inner


def takes_texts(model: BaseEstimator) -> bool:
    """Return whether a model takes one text per row instead of a table."""
    return isinstance(first_step(model), TEXT_VECTORIZERS)


def _width(model: BaseEstimator) -> int | None:
    count = getattr(model, "n_features_in_", None)
    if count is None and "X_thresholds_" in vars(first_step(model)):
        return 1  # An isotonic regression takes one feature, and does not record it.
    return count


def infer_width(model: BaseEstimator) -> int:
    """Return the number of features that a model was fitted on.

    Raises:
        NotConvertible: the model has none; it may not be fitted.
    """
    if takes_texts(model):
        return 1
    count = _width(model)
    if count is None:
        raise NotConvertible(type(model).__name__, _why_no_width(model))
    return int(count)


def _why_no_width(model: BaseEstimator) -> str:
    """Return why a model has no number of features."""
    try:
        check_is_fitted(model)
    except NotFittedError:
        return "it is not fitted; fit it before publishing it"
    first = first_step(model)
    if first is model:
        return "it does not take rows of a table, but labels or mappings: publish a model that does"
    return (
        f"{type(first).__name__}, which its inputs reach first, does not say how many features it"
        " takes: begin with a step that is fitted on a table, or with a text vectorizer, which"
        " takes the text itself"
    )


def read_facts(model: BaseEstimator) -> list[FeatureFacts]:
    """Return what a model records about each of its features.

    Raises:
        NotConvertible: the model has no number of features; it may not be fitted.
    """
    return FeatureReader(infer_width(model)).read(model)


def infer_schema(model: BaseEstimator) -> InputSchema:
    """Return the features that a model was fitted on, without bounds and missing values.

    The names are `feature_names_in_`, or x0, x1 and so on. Features are floats, except those that
    an encoder, an imputer or a vectorizer anywhere in the model knows as strings, integers or
    booleans.

    Raises:
        NotConvertible: the model has no number of features; it may not be fitted.
    """
    return schema_of(model, read_facts(model))


def schema_of(model: BaseEstimator, facts: Sequence[FeatureFacts]) -> InputSchema:
    """Return the features of a model with these facts, without those that it does not use."""
    names = feature_names(model)
    if names is None:
        is_text = takes_texts(model)
        names = [TEXT_FEATURE] if is_text else [f"x{at}" for at in range(len(facts))]
    kind = type(model).__name__
    if not names or "" in names or len(set(names)) < len(names):
        raise NotConvertible(kind, "a feature needs a name, and no two may have the same")
    return InputSchema(
        features=tuple(
            Feature(name=name, kind=_kind_of(fact))
            for name, fact in zip(names, facts, strict=True)
            if not fact.is_unused
        )
    )


def _kind_of(fact: FeatureFacts) -> FeatureKind:
    known = [one for one in fact.categories if one is not None and one == one]  # noqa: PLR0124 - NaN
    if fact.is_text or any(isinstance(one, str) for one in [*known, *fact.fills]):
        return "string"
    if known and len(known) == len(fact.categories):
        if all(isinstance(one, bool) for one in known):
            return "bool"
        if all(isinstance(one, int) and not isinstance(one, bool) for one in known):
            return "int"
    return "float"


def selects_columns(model: BaseEstimator) -> bool:
    """Return whether a model was fitted by name and its first step is a ColumnTransformer."""
    while isinstance(model, Pipeline):
        if not hasattr(model, "feature_names_in_"):
            return False
        model = model.steps[0][1]
    return isinstance(model, ColumnTransformer) and hasattr(model, "feature_names_in_")


class InputBuilder:
    """Builds what a model takes from a batch: with the names and types that it was fitted on."""

    def __init__(self, model: BaseEstimator) -> None:
        self._names = feature_names(model)
        self._is_text = takes_texts(model)
        self._facts = read_facts(model)
        self._is_whole = not any(fact.is_unused for fact in self._facts)

    def build(self, batch: Batch) -> ModelInputs:
        """Return the inputs of a batch whose columns are in the order of the model's features."""
        matrix = batch.matrix
        if self._names is None and matrix is not None and self._is_whole and not self._is_text:
            return matrix
        columns = self._columns(batch)
        if self._is_text:
            return columns[0]
        if self._names is not None:
            # pandas would turn a column of objects into one of strings, and None into NaN.
            named = {
                name: pd.Series(column, dtype=object) if column.dtype == np.object_ else column
                for name, column in zip(self._names, columns, strict=True)
            }
            return pd.DataFrame(named, copy=False)
        if any(column.dtype == np.object_ for column in columns):
            table = np.empty((batch.size, len(columns)), dtype=np.object_)
            for at, column in enumerate(columns):
                table[:, at] = column
            return table
        return np.column_stack(columns)

    def _columns(self, batch: Batch) -> list[FeatureColumn]:
        """Return a column for each feature of the model; zeros for those that it does not use."""
        given = iter(batch.columns.values())
        is_given = [True] * len(self._facts)
        if len(batch.columns) < len(self._facts):
            is_given = [not fact.is_unused for fact in self._facts]
        return [
            _mark_missing(next(given), fact.missing_marker) if is_there else np.zeros(batch.size)
            for fact, is_there in zip(self._facts, is_given, strict=True)
        ]


def _mark_missing(column: FeatureColumn, marker: Any) -> FeatureColumn:  # noqa: ANN401
    """Replace None or NaN by what the model was fitted on in its place."""
    if column.dtype == np.object_:
        missing = np.asarray(pd.isna(column))
    elif column.dtype.kind == "f" and not isinstance(marker, float):
        missing = np.isnan(column)
    else:
        return column
    if not missing.any() and column.dtype == np.object_:
        return column
    # Numbers that were encoded beside None are objects.
    marked = column.astype(np.object_)
    marked[missing] = marker
    return marked


def predict_array(model: BaseEstimator, batch: Batch, task: Task) -> Outputs:
    """Predict a batch with the scikit-learn model, in float64.

    Returns:
        (n,) probabilities of the second of two classes or values of a regression, or (n, k)
        probabilities of k classes.
    """
    return array_outputs(model, InputBuilder(model).build(batch), task)


def array_outputs(model: BaseEstimator, inputs: ModelInputs, task: Task) -> Outputs:
    """Predict inputs as an array of float64; see `Runtime.predict`."""
    with quiet():
        if task == "regression":
            return np.asarray(model.predict(inputs), dtype=np.float64).reshape(len(inputs))
        if task == "anomaly":
            method = "decision_function" if hasattr(model, "decision_function") else "score_samples"
            return -np.asarray(getattr(model, method)(inputs), dtype=np.float64).reshape(
                len(inputs)
            )
        probabilities = np.asarray(model.predict_proba(inputs), dtype=np.float64)
        return probabilities[:, 1] if task == "binary" else probabilities


@contextmanager
def quiet() -> Iterator[None]:
    """Call the library with one thread, as there are many workers, and ignore its warnings.

    The warnings concern the fitting of a model. Threads that wait for each other cost a small batch
    more than they save.
    """
    with warnings.catch_warnings(), _thread_pools().limit(limits=1):
        warnings.simplefilter("ignore")
        yield


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()
