"""The weighted mean of several models' outputs: of log-odds, log-probabilities or values. Pure."""

from collections.abc import Sequence

import numpy as np

from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import Task

MEAN_TASKS = frozenset({"binary", "multiclass", "regression"})
"""The tasks whose outputs have a mean."""
MIN_PROBABILITY = 1e-7
"""Probabilities count as at least this, and as at most 1 minus this, so that a model that is sure
does not outvote all others. It is about the distance of the float32 below 1 from 1."""


def combine(task: Task, outputs: Sequence[Outputs], weights: Sequence[float]) -> Outputs:
    """Return the weighted mean of the outputs of one or more models for the same n rows.

    Binary: the probability whose log-odds are the mean of the log-odds, (n,). Multiclass: the
    normalised exponentials of the mean log-probabilities, (n, k). Regression: the mean value, (n,).
    A row for which a model has no finite output is NaN.

    Args:
        task: one of `MEAN_TASKS`.
        outputs: the outputs of each model, of the same shape.
        weights: a positive number for each model; only their ratios matter.

    Raises:
        ValueError: the task has no mean.
    """
    if task not in MEAN_TASKS:
        raise ValueError(f"outputs of the task {task} have no mean")
    shares = np.asarray(weights, np.float64)
    shares = shares / shares.sum()
    with np.errstate(invalid="ignore", over="ignore"):
        stacked = np.stack([np.asarray(one, np.float64) for one in outputs])
        stacked[~np.isfinite(stacked)] = np.nan
        if task == "binary":
            return _expit(np.tensordot(shares, _logit(stacked), 1))
        if task == "multiclass":
            return _softmax(np.tensordot(shares, np.log(np.maximum(stacked, MIN_PROBABILITY)), 1))
        return np.asarray(np.tensordot(shares, stacked, 1), np.float64)


def _logit(probabilities: Outputs) -> Outputs:
    inner = np.clip(probabilities, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(inner) - np.log1p(-inner), np.float64)


def _expit(log_odds: Outputs) -> Outputs:
    return np.asarray(1 / (1 + np.exp(-log_odds)), np.float64)


def _softmax(scores: Outputs) -> Outputs:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)
