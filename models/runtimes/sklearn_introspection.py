"""What a fitted scikit-learn model says about itself: task, classes, features, answers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from modstream.models.errors import NotConvertible
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, Column, Feature, InputSchema, Scalar


def task_of(model: BaseEstimator) -> Task:
    """Say what a fitted model answers.

    Raises:
        NotConvertible: it is neither a regressor nor a classifier of two or more classes.
    """
    if is_regressor(model):
        return "regression"
    return "binary" if len(classes_of(model)) == 2 else "multiclass"


def classes_of(model: BaseEstimator) -> tuple[Scalar, ...]:
    """List a fitted classifier's classes in the order of its outputs; a regressor has none.

    Raises:
        NotConvertible: it is neither a regressor nor a classifier of two or more classes.
    """
    if is_regressor(model):
        return ()
    classes = getattr(model, "classes_", None)
    if not is_classifier(model) or not isinstance(classes, np.ndarray) or len(classes) < 2:
        reason = "it is neither a fitted regressor nor a fitted classifier of one label"
        raise NotConvertible(type(model).__name__, reason)
    return tuple(classes.tolist())


def infer_schema(model: BaseEstimator) -> InputSchema:
    """Describe the features that a model was fitted on, without bounds.

    Their names are `feature_names_in_`, or else x0, x1 and so on. They are floats, but for the
    columns that a ColumnTransformer at the front encodes from strings.

    Raises:
        NotConvertible: the model does not know how many features it has; it may not be fitted.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        count = getattr(model, "n_features_in_", None)
        if count is None:
            raise NotConvertible(type(model).__name__, "it is not fitted")
        return InputSchema.floats([f"x{i}" for i in range(count)])
    strings = set(_encoded_strings(model))
    return InputSchema(
        features=tuple(
            Feature(name=name, kind="string" if name in strings else "float") for name in names
        )
    )


def selects_columns(model: BaseEstimator) -> bool:
    """Tell whether a model picks its features by name, with a ColumnTransformer at its front."""
    return hasattr(model, "feature_names_in_") and isinstance(_front(model), ColumnTransformer)


def answers(model: BaseEstimator, batch: Batch, task: Task) -> Outputs:
    """Ask a model itself, in float64.

    The shape is (n,) for the probability of the second of two classes or the value of a
    regression, and (n, k) for the probabilities of k classes.
    """
    inputs = _inputs(model, batch)
    if task == "regression":
        return np.asarray(model.predict(inputs), dtype=np.float64).reshape(batch.size)
    probabilities = np.asarray(model.predict_proba(inputs), dtype=np.float64)
    return probabilities[:, 1] if task == "binary" else probabilities


def _inputs(model: BaseEstimator, batch: Batch) -> pd.DataFrame | Column:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return np.column_stack(list(batch.columns.values()))
    return pd.DataFrame({name: batch.columns[name] for name in names})


def _front(model: BaseEstimator) -> BaseEstimator:
    """Find the first step of a pipeline, however deep, or the model itself."""
    while isinstance(model, Pipeline):
        model = model.steps[0][1]
    return model


def _encoded_strings(model: BaseEstimator) -> Iterator[str]:
    """Name the columns in which an encoder at the model's front has seen strings."""
    front = _front(model)
    if isinstance(front, ColumnTransformer):
        for _, transformer, columns in front.transformers_:
            categories = getattr(_front(transformer), "categories_", ())
            for column, values in zip(columns, categories, strict=False):
                if values.dtype.kind in "OUT":
                    yield column
