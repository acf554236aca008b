"""Ensembles of the models that err differently: averages and stacks.

Stacks after D. H. Wolpert, "Stacked generalization", Neural Networks 5 (1992): a model weighs what
the members predicted for rows that none of them was fitted on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.schema.card import Task
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.trials import (
    ModelOutputs,
    ModelTrial,
    compute_outputs,
    rank_trials,
)

MAX_MEMBERS = 5
MIN_MEMBERS = 3
MAX_ERROR_CORRELATION = 0.98
"""Correlation of errors up to which two models err differently."""
SAME_ERROR_CORRELATION = 0.999
"""Correlation of errors from which two models count as the same."""
MAX_DISTANCE = 0.1
"""Largest distance of a member's score from the best one, relative to the best one."""
MAX_STACK_ITERATIONS = 1000


def make_ensembles(
    finalists: Sequence[ModelTrial], folds: TimeOrderedFolds, metric: str
) -> list[ModelTrial]:
    """Return the average and the stack of the members among some ranked trials; [] for one."""
    members = choose_members(finalists, folds, metric)
    if len(members) < 2:
        return []
    targets = folds.targets[folds.scored_rows]
    averaged = np.mean([one.outputs for one in members], axis=0)
    stacked = _stack_outputs(members, folds, averaged)
    final = clone(_final_model(folds.task)).fit(_columns(members), targets)
    found = []
    for kind, outputs, model in (("average", averaged, None), ("stack", stacked, final)):
        found.append(
            ModelTrial(
                kind,
                {},
                _ensemble(kind, folds.task, members),
                folds.score(outputs, metric),
                members[0].stride,
                sum(one.seconds for one in members),
                outputs,
                tuple(members),
                model,
            )
        )
    return found


def choose_members(
    finalists: Sequence[ModelTrial], folds: TimeOrderedFolds, metric: str
) -> list[ModelTrial]:
    """Return up to five of the best trials whose errors differ, the best first.

    A trial is a member if its errors correlate with those of no better member by more than
    `MAX_ERROR_CORRELATION`, and its score is near enough to the best. If fewer than three are, the
    others that differ most complete them, unless they are the same.
    """
    ranked = [one for one in rank_trials(finalists, metric) if one.scores]
    best = ranked[0].mean_score if ranked else 0.0
    near = [one for one in ranked if abs(one.mean_score - best) <= MAX_DISTANCE * abs(best)]
    correlations = error_correlations(near, folds)
    chosen: list[int] = []
    for at in range(len(near)):
        if (
            len(chosen) < MAX_MEMBERS
            and _closest(correlations, at, chosen) <= MAX_ERROR_CORRELATION
        ):
            chosen.append(at)
    while 0 < len(chosen) < min(MIN_MEMBERS, len(near)):
        others = [at for at in range(len(near)) if at not in chosen]
        furthest = min(others, key=lambda at: _closest(correlations, at, chosen))
        if _closest(correlations, furthest, chosen) > SAME_ERROR_CORRELATION:
            break
        chosen.append(furthest)
    return [near[at] for at in sorted(chosen)]


def _closest(correlations: FloatArray, at: int, others: Sequence[int]) -> float:
    """Return the highest correlation of a trial with some others; -1 if there are none."""
    return float(max((correlations[at, other] for other in others), default=-1.0))


def error_correlations(trials: Sequence[ModelTrial], folds: TimeOrderedFolds) -> FloatArray:
    """Return the correlations of the errors of trials on the scored rows, (k, k).

    An error is the label minus its prediction; of several classes, that of the true class.
    """
    if not trials:
        return np.empty((0, 0))
    targets = folds.targets[folds.scored_rows]
    errors = np.array([errors_of(one.outputs, targets, folds.task) for one in trials])
    errors -= errors.mean(axis=1, keepdims=True)
    scale = np.maximum(np.sqrt((errors**2).sum(axis=1)), np.finfo(np.float64).tiny)
    return np.asarray(errors @ errors.T / np.outer(scale, scale))


def errors_of(outputs: ModelOutputs, targets: NDArray[Any], task: Task) -> FloatArray:
    """Return the error of each row, (n,)."""
    if task == "multiclass":
        return np.asarray(1 - outputs[np.arange(len(targets)), targets.astype(int)])
    return np.asarray(targets - outputs, dtype=np.float64)


def fit_stack(
    stack: StackingClassifier | StackingRegressor,
    final_model: BaseEstimator,
    members: Sequence[tuple[str, BaseEstimator]],
    matrix: FloatArray,
    targets: NDArray[Any],
) -> BaseEstimator:
    """Return a fitted stack of fitted members, whose outputs a fitted model weighs."""
    _, rows = np.unique(targets, return_index=True)
    few = np.sort(rows[:MIN_MEMBERS]) if isinstance(stack, StackingRegressor) else np.sort(rows)
    ready = clone(stack).set_params(cv="prefit")
    ready.set_params(estimators=list(members), final_estimator=clone(final_model))
    ready.fit(matrix[few], targets[few])
    # It would otherwise weigh what the members predict for rows that they were fitted on.
    ready.final_estimator_ = final_model
    return ready


def _stack_outputs(
    members: Sequence[ModelTrial], folds: TimeOrderedFolds, averaged: ModelOutputs
) -> ModelOutputs:
    """Return what a stack predicts for each fold if it has learned the folds before.

    In the first fold, which has none before it, it is the average.
    """
    targets, columns = folds.split(folds.targets[folds.scored_rows]), folds.split(_columns(members))
    found = [folds.split(averaged)[0]]
    classes = len(np.unique(folds.targets))
    for fold in range(1, len(columns)):
        before = np.concatenate(targets[:fold])
        if folds.task != "regression" and len(np.unique(before)) < classes:
            found.append(folds.split(averaged)[fold])
            continue
        model = _final_model(folds.task).fit(np.concatenate(columns[:fold]), before)
        found.append(compute_outputs(model, columns[fold], folds.task))
    return np.concatenate(found)


def _columns(members: Sequence[ModelTrial]) -> FloatArray:
    """Return what a stack weighs, (n, k) or (n, k * c), in scikit-learn's order."""
    return np.column_stack([one.outputs for one in members])


def _final_model(task: Task) -> BaseEstimator:
    return Ridge() if task == "regression" else LogisticRegression(max_iter=MAX_STACK_ITERATIONS)


def _ensemble(kind: str, task: Task, members: Sequence[ModelTrial]) -> BaseEstimator:
    named = [(f"{one.kind}{at}", one.estimator) for at, one in enumerate(members)]
    final = _final_model(task)
    if task == "regression":
        is_average = kind == "average"
        return VotingRegressor(named) if is_average else StackingRegressor(named, final)
    if kind == "average":
        # skl2onnx converts no other.
        return VotingClassifier(named, voting="soft", flatten_transform=False)
    return StackingClassifier(named, final, stack_method="predict_proba")
