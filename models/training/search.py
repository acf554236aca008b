"""Random search over scikit-learn models, and ensembles of the best model of each kind.

Random search: J. Bergstra and Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13
(2012), with Optuna. Ensembles: averaged predictions, and stacking after D. H. Wolpert, "Stacked
generalization", Neural Networks 5 (1992).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from sklearn.base import BaseEstimator, clone

from modstream.models.evaluation.metrics import HIGHER_IS_BETTER, PredictedValue, compute_metrics
from modstream.models.runtimes.sklearn_introspection import predict_array
from modstream.models.training.dataset import LabelledDataset, time_series_folds
from modstream.models.training.search_space import (
    SEARCH_SPACE,
    build_ensembles,
    fit_inputs,
    with_encoder,
)
from modstream.models.training.settings import TrainSettings

ProgressCallback = Callable[[str, float], None]
"""Receives the current step and the completed share, 0 to 1."""


@dataclass(frozen=True, slots=True)
class ModelTrial:
    """An unfitted estimator and its cross-validation scores, one per fold."""

    kind: str
    hyperparameters: Mapping[str, Any]
    estimator: BaseEstimator
    scores: tuple[float, ...]

    @property
    def mean_score(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.scores))


def search(
    dataset: LabelledDataset, metric: str, settings: TrainSettings, on_progress: ProgressCallback
) -> list[ModelTrial]:
    """Cross-validate random hyperparameters of every kind of model, then ensembles.

    Returns:
        All trials, the best by `metric` first.

    Raises:
        NoUsableFold: no time-ordered fold has enough classes to fit and score on.
    """
    trials = list(_run_trials(dataset, metric, settings, on_progress))
    best_by_kind = {one.kind: one.estimator for one in reversed(rank_trials(trials, metric))}
    for kind, ensemble in build_ensembles(dataset.card.task, best_by_kind).items():
        on_progress(f"trying {kind}", 1.0)
        trials.append(_cross_validate(dataset, kind, {}, ensemble, metric, settings.folds))
    return rank_trials(trials, metric)


def rank_trials(trials: Sequence[ModelTrial], metric: str) -> list[ModelTrial]:
    """Return the trials by mean score, the best first."""
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    return sorted(trials, key=lambda trial: sign * trial.mean_score)


def fit(estimator: BaseEstimator, dataset: LabelledDataset) -> BaseEstimator:
    """Return a fitted copy of an estimator, with an encoder for the dataset's strings."""
    schema = dataset.card.input_schema
    model = with_encoder(clone(estimator), schema)
    return model.fit(fit_inputs(dataset.batch, schema), dataset.targets())


def predict_values(model: BaseEstimator, dataset: LabelledDataset) -> list[PredictedValue]:
    """Return a fitted model's prediction for every row.

    It is a number, or probabilities by the class's position, as `metric_labels` names classes.
    """
    outputs: list[Any] = predict_array(model, dataset.batch, dataset.card.task).tolist()
    if dataset.card.task != "multiclass":
        return outputs
    positions = list(map(str, range(len(dataset.classes))))
    return [dict(zip(positions, row, strict=True)) for row in outputs]


def _run_trials(
    dataset: LabelledDataset, metric: str, settings: TrainSettings, on_progress: ProgressCallback
) -> Iterator[ModelTrial]:
    # By default Optuna logs every trial to standard error, which would break the progress bar.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=settings.seed))
    factories = SEARCH_SPACE[dataset.card.task]
    for number in range(settings.trials):
        trial = study.ask()
        kind = tuple(factories)[number % len(factories)]
        on_progress(f"trying {kind}", number / settings.trials)
        estimator = factories[kind](trial, settings.seed)
        result = _cross_validate(dataset, kind, trial.params, estimator, metric, settings.folds)
        study.tell(trial, result.mean_score)
        yield result


def _cross_validate(
    dataset: LabelledDataset,
    kind: str,
    hyperparameters: Mapping[str, Any],
    estimator: BaseEstimator,
    metric: str,
    folds: int,
) -> ModelTrial:
    scores = []
    for fitted, scored in time_series_folds(dataset, folds):
        later = dataset.take(scored)
        predictions = predict_values(fit(estimator, dataset.take(fitted)), later)
        metrics = compute_metrics(later.metric_labels(), predictions, dataset.card.task, metric)
        if metric in metrics:
            scores.append(metrics[metric])
    return ModelTrial(kind, dict(hyperparameters), estimator, tuple(scores))
