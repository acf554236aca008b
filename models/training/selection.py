"""Which trial is chosen: the simplest of those that the best does not clearly beat.

The one-standard-error rule of L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and
regression trees" (1984), on the differences of scores in the same folds. A stack that is better by
less than the folds differ is better by chance, and follows its weakest member when data change.
"""

from collections.abc import Sequence

import numpy as np

from modstream.models.training.trials import ModelTrial, rank_trials

_COMPLEXITY = {"average": 1, "stack": 2}
"""A single model is simpler than an average, and an average than a stack."""


def order_by_simplicity(trials: Sequence[ModelTrial], metric: str) -> list[ModelTrial]:
    """Return the trials in the order in which they are tried for the final model.

    First those that the best trial does not beat by more than a standard error: the simplest first,
    and the best first among equally simple ones. The others follow by rank.
    """
    ranked = rank_trials(trials, metric)
    best = ranked[0]
    equal = [one for one in ranked if _is_as_good(one, best)]
    others = [one for one in ranked if one not in equal]
    return [*sorted(equal, key=lambda one: _COMPLEXITY.get(one.kind, 0)), *others]


def _is_as_good(trial: ModelTrial, best: ModelTrial) -> bool:
    if trial is best:
        return True
    comparable = trial.stride == best.stride and len(trial.scores) == len(best.scores)
    if not comparable or len(best.scores) < 2:
        return False
    differences = np.array(best.scores) - np.array(trial.scores)
    standard_error = float(differences.std(ddof=1)) / np.sqrt(len(differences))
    return bool(abs(float(differences.mean())) <= standard_error)
