"""Random search over scikit-learn models, and ensembles of the best of each kind.

Random search: J. Bergstra and Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13
(2012), by Optuna. Ensembles: averaged answers, and stacking after D. H. Wolpert, "Stacked
generalization", Neural Networks 5 (1992).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from sklearn.base import BaseEstimator, clone

from modstream.models.evaluation.metrics import HIGHER_IS_BETTER, Answer, figures
from modstream.models.runtimes.sklearn_introspection import answers
from modstream.models.training.dataset import Labelled, folds
from modstream.models.training.search_space import RECIPES, assembled, ensembles, inputs
from modstream.models.training.settings import TrainSettings

Tell = Callable[[str, float], None]
"""What is being done, and how much of it, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is not fitted yet, and its scores in cross-validation, one per fold."""

    kind: str
    settings: Mapping[str, Any]
    model: BaseEstimator
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.scores))


def search(table: Labelled, metric: str, settings: TrainSettings, tell: Tell) -> list[Candidate]:
    """Try random settings of every kind, then ensembles; the best by `metric` first.

    Raises:
        NoFold: the order of the classes in time leaves nothing to cross-validate on.
    """
    tried = list(_trials(table, metric, settings, tell))
    leaders = {one.kind: one.model for one in reversed(best_first(tried, metric))}
    for kind, core in ensembles(table.card.task, leaders).items():
        tell(f"trying {kind}", 1.0)
        tried.append(_judge(table, kind, {}, core, metric, settings.folds))
    return best_first(tried, metric)


def best_first(candidates: Sequence[Candidate], metric: str) -> list[Candidate]:
    """Candidates by their score."""
    higher = metric in HIGHER_IS_BETTER
    return sorted(candidates, key=lambda one: -one.score if higher else one.score)


def fit(model: BaseEstimator, table: Labelled) -> BaseEstimator:
    """Fit a copy of a model, behind the encoding of the table's strings."""
    schema = table.card.input_schema
    return assembled(clone(model), schema).fit(inputs(table.batch, schema), table.targets())


def said(model: BaseEstimator, table: Labelled) -> list[Answer]:
    """What a fitted model answers to every row."""
    outputs: list[Any] = answers(model, table.batch, table.card.task).tolist()
    if table.card.task != "multiclass":
        return outputs
    names = [str(label) for label in table.classes]
    return [dict(zip(names, row, strict=True)) for row in outputs]


def _trials(
    table: Labelled, metric: str, settings: TrainSettings, tell: Tell
) -> Iterator[Candidate]:
    # It would tell of every study and trial on standard error, where the progress bar is.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=settings.seed))
    recipes = RECIPES[table.card.task]
    for number in range(settings.trials):
        trial = study.ask()
        kind = tuple(recipes)[number % len(recipes)]
        tell(f"trying {kind}", number / settings.trials)
        core = recipes[kind](trial, settings.seed)
        found = _judge(table, kind, trial.params, core, metric, settings.folds)
        study.tell(trial, found.score)
        yield found


def _judge(
    table: Labelled,
    kind: str,
    chosen: Mapping[str, Any],
    model: BaseEstimator,
    metric: str,
    count: int,
) -> Candidate:
    scores = []
    for fitted, scored in folds(table, count):
        later = table.take(scored)
        told = said(fit(model, table.take(fitted)), later)
        found = figures(later.truths(), told, table.card.task, metric)
        if metric in found:
            scores.append(found[metric])
    return Candidate(kind, dict(chosen), model, tuple(scores))
