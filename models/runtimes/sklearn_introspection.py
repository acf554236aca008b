"""Task, classes, schema and predictions of a fitted scikit-learn model."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from modstream.models.errors import NotConvertible
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import Task
from modstream.models.schema.columns import FeatureColumn, Scalar
from modstream.models.schema.input_schema import Batch, Feature, InputSchema


def infer_task(model: BaseEstimator) -> Task:
    """Return the task of a fitted model.

    Raises:
        NotConvertible: it is neither a regressor nor a classifier of two or more classes.
    """
    if is_regressor(model):
        return "regression"
    return "binary" if len(infer_classes(model)) == 2 else "multiclass"


def infer_classes(model: BaseEstimator) -> tuple[Scalar, ...]:
    """Return a fitted classifier's classes in the order of its outputs; () for a regressor.

    Raises:
        NotConvertible: it is neither a regressor nor a classifier of two or more classes.
    """
    if is_regressor(model):
        return ()
    classes = getattr(model, "classes_", None)
    if not is_classifier(model) or not isinstance(classes, np.ndarray) or len(classes) < 2:
        reason = "it is neither a fitted regressor nor a fitted classifier with a single label"
        raise NotConvertible(type(model).__name__, reason)
    return tuple(classes.tolist())


def infer_schema(model: BaseEstimator) -> InputSchema:
    """Return the features that a model was fitted on, without bounds.

    The names are `feature_names_in_`, or x0, x1 and so on. All features are floats, except columns
    that a ColumnTransformer in the first step encodes from strings.

    Raises:
        NotConvertible: the model has no number of features; it may not be fitted.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        count = getattr(model, "n_features_in_", None)
        if count is None:
            raise NotConvertible(
                type(model).__name__, "it is not fitted; fit it before publishing it"
            )
        return InputSchema.of_floats([f"x{i}" for i in range(count)])
    strings = set(_string_columns(model))
    return InputSchema(
        features=tuple(
            Feature(name=name, kind="string" if name in strings else "float") for name in names
        )
    )


def selects_columns(model: BaseEstimator) -> bool:
    """Return whether a model selects features by name, with a ColumnTransformer as first step."""
    return hasattr(model, "feature_names_in_") and isinstance(_first_step(model), ColumnTransformer)


def predict_array(model: BaseEstimator, batch: Batch, task: Task) -> Outputs:
    """Predict a batch with the scikit-learn model, in float64.

    Returns:
        (n,) probabilities of the second of two classes or values of a regression, or (n, k)
        probabilities of k classes.
    """
    inputs = _inputs(model, batch)
    if task == "regression":
        return np.asarray(model.predict(inputs), dtype=np.float64).reshape(batch.size)
    probabilities = np.asarray(model.predict_proba(inputs), dtype=np.float64)
    return probabilities[:, 1] if task == "binary" else probabilities


def _inputs(model: BaseEstimator, batch: Batch) -> pd.DataFrame | FeatureColumn:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return np.column_stack(list(batch.columns.values()))
    return pd.DataFrame({name: batch.columns[name] for name in names})


def _first_step(model: BaseEstimator) -> BaseEstimator:
    """Return the first step of a (nested) pipeline, or the model itself."""
    while isinstance(model, Pipeline):
        model = model.steps[0][1]
    return model


def _string_columns(model: BaseEstimator) -> Iterator[str]:
    """Yield the columns in which an encoder in the model's first step was fitted on strings."""
    first = _first_step(model)
    if isinstance(first, ColumnTransformer):
        for _, transformer, columns in first.transformers_:
            categories = getattr(_first_step(transformer), "categories_", ())
            for column, values in zip(columns, categories, strict=False):
                if values.dtype.kind in "OUT":
                    yield column
