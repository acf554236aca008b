"""The kinds of scikit-learn models that are tried, and how their settings are drawn."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from optuna.trial import Trial
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, Column, InputSchema

Recipe = Callable[[Trial, int], BaseEstimator]
"""Draws settings from a trial; the number seeds the model."""
MOST_STEPS = 5000
"""Of a logistic regression: enough for scaled numbers to converge."""
FOLDS = 3
"""In which a stack's members answer the rows that its last model is fitted on."""


def assembled(core: BaseEstimator, schema: InputSchema) -> BaseEstimator:
    """A model behind an encoder of the schema's strings, if it has any; numbers pass as they are.

    Numbers are scaled only inside the models that need it: trees compare them in float32, and a
    scaler before them would put rows on another side of a split in ONNX than here.
    """
    strings = [feature.name for feature in schema.features if feature.kind == "string"]
    if not strings:
        return core
    numbers = [name for name in schema.names if name not in strings]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = [("strings", encoder, strings), ("numbers", "passthrough", numbers)]
    return make_pipeline(ColumnTransformer([one for one in columns if one[2]]), core)


def inputs(batch: Batch, schema: InputSchema) -> pd.DataFrame | Column:
    """A batch as an assembled model is fitted on it: by name if it has strings, else a matrix."""
    if any(feature.kind == "string" for feature in schema.features):
        return pd.DataFrame(batch.columns)
    return np.column_stack(list(batch.columns.values()))


def ensembles(task: Task, leaders: Mapping[str, BaseEstimator]) -> dict[str, BaseEstimator]:
    """Ensembles of the best model of each kind; none of fewer than two."""
    members = [(kind, clone(model)) for kind, model in sorted(leaders.items())]
    if len(members) < 2:
        return {}
    if task == "regression":
        return {
            "average": VotingRegressor(members),
            "stack": StackingRegressor(members, Ridge(), cv=FOLDS),
        }
    final = LogisticRegression(max_iter=MOST_STEPS)
    return {
        "average": VotingClassifier(members, voting="soft"),
        "stack": StackingClassifier(members, final, stack_method="predict_proba", cv=FOLDS),
    }


def logistic(trial: Trial, _seed: int) -> BaseEstimator:
    """A logistic regression on scaled numbers."""
    strength = trial.suggest_float("C", 1e-3, 10, log=True)
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=MOST_STEPS))


def ridge(trial: Trial, _seed: int) -> BaseEstimator:
    """A ridge regression on scaled numbers."""
    return make_pipeline(
        StandardScaler(), Ridge(alpha=trial.suggest_float("alpha", 1e-3, 1e3, log=True))
    )


def forest(kind: type[BaseEstimator]) -> Recipe:
    """A random forest."""
    return lambda trial, seed: kind(
        n_estimators=trial.suggest_int("trees", 20, 100),
        max_depth=trial.suggest_int("depth", 3, 12),
        min_samples_leaf=trial.suggest_int("leaf", 1, 20),
        random_state=seed,
    )


def boosting(kind: type[BaseEstimator]) -> Recipe:
    """Gradient boosting."""
    return lambda trial, seed: kind(
        n_estimators=trial.suggest_int("trees", 20, 100),
        max_depth=trial.suggest_int("depth", 2, 4),
        learning_rate=trial.suggest_float("rate", 0.03, 0.3, log=True),
        subsample=trial.suggest_float("share", 0.4, 1.0),
        random_state=seed,
    )


_CLASSIFIERS: Mapping[str, Recipe] = MappingProxyType(
    {
        "logistic": logistic,
        "forest": forest(RandomForestClassifier),
        "boosting": boosting(GradientBoostingClassifier),
    }
)
RECIPES: Mapping[Task, Mapping[str, Recipe]] = MappingProxyType(
    {
        "binary": _CLASSIFIERS,
        "multiclass": _CLASSIFIERS,
        "regression": MappingProxyType(
            {
                "ridge": ridge,
                "forest": forest(RandomForestRegressor),
                "boosting": boosting(GradientBoostingRegressor),
            }
        ),
    }
)
"""What is tried, by task."""
