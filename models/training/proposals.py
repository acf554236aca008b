"""What a search tries next: known good hyperparameters, random ones, and neighbours of the best."""

import math
import random
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.base import BaseEstimator

from modstream.models.schema.card import Task
from modstream.models.training.search_space import FIRST_HYPERPARAMETERS, SEARCH_SPACE
from modstream.models.training.trials import ModelTrial

FIRST_KIND_WEIGHT = 2
"""How often the first kind of a task is tried, compared with the others."""
NEIGHBOUR_REACH = 0.15
"""Standard deviation of the step to a neighbour, as a share of the range of a hyperparameter."""


class Proposal(NamedTuple):
    """A kind of model with hyperparameters, and its unfitted estimator."""

    kind: str
    hyperparameters: Mapping[str, Any]
    estimator: BaseEstimator


class Proposer:
    """Proposes models of a task; the same seed proposes the same ones."""

    def __init__(self, task: Task, seed: int) -> None:
        # By default Optuna logs every trial to standard error, which would break the progress bar.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._factories = SEARCH_SPACE[task]
        self._seed = seed
        self._random = random.Random(seed)
        self._first = list(self._factories)
        first, *others = self._factories
        self._kinds = cycle([first] * FIRST_KIND_WEIGHT + others)
        self._studies = {
            kind: optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed + at))
            for at, kind in enumerate(self._factories)
        }

    def propose(self, count: int, best: Sequence[ModelTrial]) -> list[Proposal]:
        """Return a number of proposals: half of them near the best trials, if there are any.

        The very first ones are the known hyperparameters of each kind.
        """
        known = [one for one in best if one.kind in self._studies]
        found = []
        for number in range(count):
            if self._first:
                kind = self._first.pop(0)
                found.append(self._ask(kind, FIRST_HYPERPARAMETERS[kind]))
            elif known and number % 2 == 0:
                near = known[number // 2 % len(known)]
                found.append(self._ask(near.kind, self._step(near)))
            else:
                found.append(self._ask(next(self._kinds), None))
        return found

    def _ask(self, kind: str, fixed: Mapping[str, Any] | None) -> Proposal:
        study = self._studies[kind]
        if fixed is not None:
            study.enqueue_trial(dict(fixed))
        trial = study.ask()
        estimator = self._factories[kind](trial, self._seed)
        return Proposal(kind, dict(trial.params), estimator)

    def _step(self, near: ModelTrial) -> dict[str, Any]:
        """Return hyperparameters beside those of a trial."""
        ranges = self._studies[near.kind].trials[0].distributions
        return {
            name: self._neighbour(value, ranges[name])
            for name, value in near.hyperparameters.items()
        }

    def _neighbour(self, value: Any, within: Any) -> Any:  # noqa: ANN401 - of Optuna
        if not isinstance(within, FloatDistribution | IntDistribution):
            return value
        low, high = float(within.low), float(within.high)
        if within.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        moved = self._random.gauss(value, NEIGHBOUR_REACH * (high - low))
        moved = min(max(moved, low), high)
        moved = math.exp(moved) if within.log else moved
        bounded = min(max(moved, within.low), within.high)
        return round(bounded) if isinstance(within, IntDistribution) else bounded
