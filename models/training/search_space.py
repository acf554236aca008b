"""The search space: kinds of scikit-learn models and the ranges of their hyperparameters."""

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
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modstream.models.schema.card import Task
from modstream.models.schema.columns import FeatureColumn
from modstream.models.schema.input_schema import Batch, InputSchema

EstimatorFactory = Callable[[Trial, int], BaseEstimator]
"""Creates an unfitted estimator from an Optuna trial and a random seed."""
MAX_ITERATIONS = 5000
"""Iterations of a logistic regression; enough to converge on scaled numbers."""
STACKING_FOLDS = 3
"""Folds of the out-of-fold predictions that a stack's final model is fitted on."""


def with_encoder(estimator: BaseEstimator, schema: InputSchema) -> BaseEstimator:
    """Return the estimator behind a one-hot encoder of the schema's strings, if there are any.

    Numbers pass unchanged, except that missing ones are replaced by the median; a missing string is
    a category. They are scaled only inside the models that need it: trees compare them in float32,
    and a scaler could move rows to the other side of a split in the ONNX export.
    """
    strings = [feature.name for feature in schema.features if feature.kind == "string"]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    is_missing = any(one.missing for one in schema.features if one.kind != "string")
    if not strings:
        return make_pipeline(imputer, estimator) if is_missing else estimator
    numbers = [name for name in schema.names if name not in strings]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = [
        ("strings", encoder, strings),
        ("numbers", imputer if is_missing else "passthrough", numbers),
    ]
    return make_pipeline(ColumnTransformer([column for column in columns if column[2]]), estimator)


def fit_inputs(batch: Batch, schema: InputSchema) -> pd.DataFrame | FeatureColumn:
    """Return a batch to fit on: a DataFrame if the schema has strings, else a matrix (n, k)."""
    if any(feature.kind == "string" for feature in schema.features):
        # As objects, strings keep their missing values as None, which the encoder knows.
        return pd.DataFrame(
            {
                name: pd.Series(column, dtype=object) if column.dtype == object else column
                for name, column in batch.columns.items()
            }
        )
    return np.column_stack(list(batch.columns.values()))


def build_ensembles(
    task: Task, best_by_kind: Mapping[str, BaseEstimator]
) -> dict[str, BaseEstimator]:
    """Return ensembles of the best estimator of each kind, by name; {} for fewer than two kinds."""
    members = [(kind, clone(model)) for kind, model in sorted(best_by_kind.items())]
    if len(members) < 2:
        return {}
    if task == "regression":
        return {
            "average": VotingRegressor(members),
            "stack": StackingRegressor(members, Ridge(), cv=STACKING_FOLDS),
        }
    final = LogisticRegression(max_iter=MAX_ITERATIONS)
    return {
        "average": VotingClassifier(members, voting="soft"),
        "stack": StackingClassifier(
            members, final, stack_method="predict_proba", cv=STACKING_FOLDS
        ),
    }


def logistic(trial: Trial, _seed: int) -> BaseEstimator:
    """Return a logistic regression on scaled numbers."""
    inverse_penalty = trial.suggest_float("C", 1e-3, 10, log=True)
    model = LogisticRegression(C=inverse_penalty, max_iter=MAX_ITERATIONS)
    return make_pipeline(StandardScaler(), model)


def ridge(trial: Trial, _seed: int) -> BaseEstimator:
    """Return a ridge regression on scaled numbers."""
    return make_pipeline(
        StandardScaler(), Ridge(alpha=trial.suggest_float("alpha", 1e-3, 1e3, log=True))
    )


def random_forest(estimator_class: type[BaseEstimator]) -> EstimatorFactory:
    """Return a factory of random forests of the given class."""
    return lambda trial, seed: estimator_class(
        n_estimators=trial.suggest_int("n_estimators", 20, 100),
        max_depth=trial.suggest_int("max_depth", 3, 12),
        min_samples_leaf=trial.suggest_int("min_samples_leaf", 1, 20),
        random_state=seed,
    )


def gradient_boosting(estimator_class: type[BaseEstimator]) -> EstimatorFactory:
    """Return a factory of gradient boosting models of the given class."""
    return lambda trial, seed: estimator_class(
        n_estimators=trial.suggest_int("n_estimators", 20, 100),
        max_depth=trial.suggest_int("max_depth", 2, 4),
        learning_rate=trial.suggest_float("learning_rate", 0.03, 0.3, log=True),
        subsample=trial.suggest_float("subsample", 0.4, 1.0),
        random_state=seed,
    )


_CLASSIFIERS: Mapping[str, EstimatorFactory] = MappingProxyType(
    {
        "logistic": logistic,
        "forest": random_forest(RandomForestClassifier),
        "boosting": gradient_boosting(GradientBoostingClassifier),
    }
)
SEARCH_SPACE: Mapping[Task, Mapping[str, EstimatorFactory]] = MappingProxyType(
    {
        "binary": _CLASSIFIERS,
        "multiclass": _CLASSIFIERS,
        "regression": MappingProxyType(
            {
                "ridge": ridge,
                "forest": random_forest(RandomForestRegressor),
                "boosting": gradient_boosting(GradientBoostingRegressor),
            }
        ),
    }
)
"""The estimator factories, by task and kind of model."""
