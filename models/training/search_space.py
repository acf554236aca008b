"""The search space: kinds of models and the ranges of their hyperparameters."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from optuna.trial import BaseTrial
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from modstream.models.schema.card import Task

EstimatorFactory = Callable[[BaseTrial, int], BaseEstimator]
"""Creates an unfitted estimator from an Optuna trial and a random seed."""
MAX_ITERATIONS = 1000
"""Iterations of a logistic regression; enough to converge on scaled numbers."""


def logistic(trial: BaseTrial, _seed: int) -> BaseEstimator:
    """Return a logistic regression on scaled numbers."""
    inverse_penalty = trial.suggest_float("C", 1e-3, 10, log=True)
    return _linear(LogisticRegression(C=inverse_penalty, max_iter=MAX_ITERATIONS))


def ridge(trial: BaseTrial, _seed: int) -> BaseEstimator:
    """Return a ridge regression on scaled numbers."""
    return _linear(Ridge(alpha=trial.suggest_float("alpha", 1e-3, 1e3, log=True)))


def _linear(model: BaseEstimator) -> BaseEstimator:
    """Return a linear model on scaled numbers.

    Numbers beyond those that it was fitted on are clipped: a line would continue without end, as in
    summer that of a model fitted in winter.
    """
    return make_pipeline(MinMaxScaler(clip=True), StandardScaler(), model)


def random_forest(estimator_class: type[BaseEstimator]) -> EstimatorFactory:
    """Return a factory of random forests of the given class."""
    return lambda trial, seed: estimator_class(
        n_estimators=trial.suggest_int("n_estimators", 20, 100),
        max_depth=trial.suggest_int("max_depth", 3, 12),
        min_samples_leaf=trial.suggest_int("min_samples_leaf", 1, 50, log=True),
        max_features=trial.suggest_float("max_features", 0.2, 0.8),
        random_state=seed,
    )


def hist_boosting(estimator_class: type[BaseEstimator]) -> EstimatorFactory:
    """Return a factory of histogram gradient boosting of the given class."""
    return lambda trial, seed: estimator_class(
        max_iter=trial.suggest_int("max_iter", 30, 300, log=True),
        max_leaf_nodes=trial.suggest_int("max_leaf_nodes", 4, 64, log=True),
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        min_samples_leaf=trial.suggest_int("min_samples_leaf", 5, 200, log=True),
        l2_regularization=trial.suggest_float("l2_regularization", 1e-3, 30, log=True),
        max_features=trial.suggest_float("max_features", 0.3, 1.0),
        early_stopping=False,
        random_state=seed,
    )


_CLASSIFIERS: Mapping[str, EstimatorFactory] = MappingProxyType(
    {
        "boosting": hist_boosting(HistGradientBoostingClassifier),
        "logistic": logistic,
        "forest": random_forest(RandomForestClassifier),
    }
)
SEARCH_SPACE: Mapping[Task, Mapping[str, EstimatorFactory]] = MappingProxyType(
    {
        "binary": _CLASSIFIERS,
        "multiclass": _CLASSIFIERS,
        "regression": MappingProxyType(
            {
                "boosting": hist_boosting(HistGradientBoostingRegressor),
                "ridge": ridge,
                "forest": random_forest(RandomForestRegressor),
            }
        ),
    }
)
"""The estimator factories, by task and kind of model, in the order in which they are tried."""

FIRST_HYPERPARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "boosting": {
            "max_iter": 150,
            "max_leaf_nodes": 31,
            "learning_rate": 0.06,
            "min_samples_leaf": 20,
            "l2_regularization": 1e-3,
            "max_features": 1.0,
        },
        "logistic": {"C": 1.0},
        "ridge": {"alpha": 1.0},
        "forest": {
            "n_estimators": 40,
            "max_depth": 10,
            "min_samples_leaf": 10,
            "max_features": 0.4,
        },
    }
)
"""The hyperparameters that are tried first of each kind."""
