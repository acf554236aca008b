"""The estimators inside a fitted scikit-learn model: its steps and members."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

TEXT_VECTORIZERS = (CountVectorizer, HashingVectorizer)
"""The transformers that take one text per row instead of a table; subclasses included."""

_MEMBERS = (
    "best_estimator_", "estimator_", "estimators_", "calibrated_classifiers_", "regressor_",
    "base_estimator_", "initial_imputer_", "_preprocessor", "estimator",
)  # fmt: skip
"""The attributes in which a meta-estimator keeps fitted members that take its own columns."""


def members(model: BaseEstimator) -> Iterator[BaseEstimator]:
    """Yield the fitted members of a meta-estimator; nothing for other estimators."""
    for name in _MEMBERS:
        value = vars(model).get(name) if hasattr(model, "__dict__") else None
        if name == "estimator" and not isinstance(model, FrozenEstimator):
            continue  # It is the unfitted one that a copy was fitted of.
        for one in _as_sequence(value):
            found = getattr(one, "estimator", one) if "Calibrated" in type(one).__name__ else one
            if isinstance(found, BaseEstimator) and _is_fitted(found):
                yield found


def _as_sequence(value: object) -> Sequence[Any]:
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_fitted(model: BaseEstimator) -> bool:
    return isinstance(model, Pipeline) or any(name.endswith("_") for name in vars(model))


def first_step(model: BaseEstimator) -> BaseEstimator:
    """Return the estimator that a model's inputs reach first, inside pipelines and members."""
    while True:
        if isinstance(model, Pipeline):
            steps = [step for _, step in model.steps if step not in {"passthrough", None}]
            inner = steps[0] if steps else None
        elif isinstance(model, FeatureUnion):
            inner = next((one for _, one in model.transformer_list if one != "drop"), None)
        elif isinstance(model, ColumnTransformer):
            inner = None
        else:
            inner = next(members(model), None)
        if inner is None or inner is model or not isinstance(inner, BaseEstimator):
            return model
        model = inner


def last_step(model: BaseEstimator) -> BaseEstimator:
    """Return the estimator that predicts: the last step, or the best one of a search."""
    while True:
        if isinstance(model, Pipeline) and isinstance(model.steps[-1][1], BaseEstimator):
            model = model.steps[-1][1]
        elif "best_estimator_" in vars(model):
            model = model.best_estimator_
        else:
            return model
