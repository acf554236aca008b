"""The search by FLAML, an optional package: C. Wang et al., MLSys 2021.

FLAML proposes one model of each kind within its time; they are then compared in the same folds as
those of any other search.
"""

import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from modstream.models.training.errors import SearcherMissing
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.settings import TrainSettings
from modstream.models.training.trials import ModelTrial

ESTIMATORS: Mapping[str, str] = MappingProxyType(
    {"histgb": "boosting", "rf": "forest", "extra_tree": "extra trees", "lrl1": "logistic"}
)
"""FLAML's estimators that are scikit-learn's own, which have an ONNX form, and their kinds."""
METRICS: Mapping[str, str] = MappingProxyType({"auc": "roc_auc"})
"""FLAML's names of metrics, where they are others."""
SEARCH_SHARE = 0.75
"""Share of the budget that FLAML has; the folds take the rest."""


def search_with_flaml(
    folds: TimeOrderedFolds, metric: str, settings: TrainSettings
) -> list[ModelTrial]:
    """Return the best model of each kind that FLAML has found, cross-validated.

    FLAML's clock is that of the wall, whatever clock the budget has.

    Raises:
        SearcherMissing: FLAML is not installed.
    """
    trials = []
    for kind, estimator in _best_models(folds, metric, settings):
        scores, outputs, seconds = folds.evaluate(estimator, 1, metric)
        hyperparameters = _numbers(estimator.get_params(deep=False))
        trials.append(ModelTrial(kind, hyperparameters, estimator, scores, 1, seconds, outputs))
    return trials


def _best_models(
    folds: TimeOrderedFolds, metric: str, settings: TrainSettings
) -> Iterator[tuple[str, BaseEstimator]]:
    """Yield the unfitted best model of each kind that FLAML has tried."""
    task = "regression" if folds.task == "regression" else "classification"
    names = [name for name in ESTIMATORS if task == "classification" or name != "lrl1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        automl = _load_flaml().AutoML()
        automl.fit(
            *folds.encode_all(),
            task=task,
            metric=METRICS.get(metric, metric),
            time_budget=max(1.0, SEARCH_SHARE * settings.budget_seconds),
            estimator_list=names,
            eval_method="cv",
            split_type="time",
            n_splits=settings.folds,
            n_jobs=settings.threads,
            seed=settings.seed,
            verbose=0,
        )
        for name in names:
            found = automl.best_model_for_estimator(name)
            if found is not None:
                yield ESTIMATORS[name], found.estimator_class(**found.params)


def _load_flaml() -> Any:  # noqa: ANN401 - a module
    try:
        return import_module("flaml.automl")
    except ImportError:
        raise SearcherMissing("FLAML", "automl") from None


def _numbers(parameters: Mapping[str, Any]) -> dict[str, float | int]:
    """Return the parameters that are numbers, as Python's."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in parameters.items()
        if isinstance(value, int | float | np.number) and not isinstance(value, bool)
    }
