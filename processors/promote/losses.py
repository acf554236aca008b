"""Losses of predictions in [0, 1], and rank errors, whose mean is 1 - AUC."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modstream.models.errors import PredictError
from modstream.models.evaluation.metrics import FloatArray
from modstream.models.runtimes.runtime import Outputs, Runtime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

COMPARABLE_TASKS = frozenset({"binary", "multiclass", "regression"})
"""Tasks for which `losses` is defined."""

RowScores = tuple[float, ...]
"""The scores of several models for one row."""

MAX_UNPAIRED = 50
"""Maximum number of rows of one class that wait for a partner; the oldest are dropped."""


def predict_or_none(runtime: Runtime, batch: Batch) -> Outputs | None:
    """Return the model's outputs for a batch, or None if the prediction fails."""
    try:
        return runtime.predict(batch)
    except PredictError:
        return None


def losses(
    card: ModelCard, outputs: Outputs | None, labels: Sequence[Scalar], error_scale: float = 1.0
) -> FloatArray:
    """Return the loss of each prediction, of shape (n,), in [0, 1].

    The loss is the Brier score (G. W. Brier, Monthly Weather Review 78, 1950) for a binary task,
    half of it for several classes, and for a regression the absolute error in units of
    `error_scale`, at most 1. A missing or non-finite prediction has a loss of 1.
    """
    if outputs is None:
        return np.ones(len(labels))
    if card.task == "regression":
        raw = np.abs(outputs - np.asarray(labels, np.float64)) / error_scale
    elif card.task == "binary":
        raw = np.square(outputs - binary_labels(card, labels))
    else:
        truths = np.array([[known == label for known in card.classes] for label in labels])
        raw = np.square(outputs - truths).sum(axis=1) / 2
    clipped: FloatArray = np.where(np.isfinite(raw), np.clip(raw, 0.0, 1.0), 1.0)
    return clipped


def binary_labels(card: ModelCard, labels: Sequence[Scalar]) -> FloatArray:
    """Return the labels of a binary task as 0 and 1, of shape (n,)."""
    positive = card.classes[1] if card.classes else True
    return np.array([float(label == positive) for label in labels])


@dataclass(slots=True)
class RankErrors:
    """Rank errors of several models on one stream: is the positive row scored above the negative?

    Each row is paired with the newest row of the other class that has no partner yet, for all
    models alike. The error is 1 if a model orders the two rows wrongly and one half for a tie. The
    mean of a model's errors is 1 - AUC (Mann and Whitney, 1947). Unlike a loss, it does not rise
    when the share of positive labels rises, as in a storm that delays all flights. As each row is
    used once, a single outlier raises no alarm. Pairing restarts when the set of models changes.
    """

    _names: tuple[str, ...] = ()
    _unpaired: tuple[deque[RowScores], deque[RowScores]] = field(
        default_factory=lambda: (deque(maxlen=MAX_UNPAIRED), deque(maxlen=MAX_UNPAIRED))
    )

    def add(self, labels: FloatArray, scores: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Add rows; return each model's errors on the pairs that they complete, oldest first.

        A pair with a score that is not finite counts as ordered wrongly.

        Args:
            labels: 0 or 1, of shape (n,).
            scores: the scores of each model, of shape (n,).
        """
        if self._names != tuple(scores):
            self._names = tuple(scores)
            for unpaired in self._unpaired:
                unpaired.clear()
        rows = zip(*(one.tolist() for one in scores.values()), strict=True)
        pairs = list(self._pair(labels.tolist(), rows))
        if not pairs:
            return {name: np.empty(0) for name in scores}
        positive, negative = np.array(pairs).transpose(1, 2, 0)
        errors = np.where(positive == negative, 0.5, np.where(positive > negative, 0.0, 1.0))
        return dict(zip(scores, errors, strict=True))

    def _pair(
        self, labels: Iterable[float], rows: Iterable[RowScores]
    ) -> Iterator[tuple[RowScores, RowScores]]:
        for label, row in zip(labels, rows, strict=True):
            partners = self._unpaired[not label]
            if partners:
                yield (row, partners.pop()) if label else (partners.pop(), row)
            else:
                self._unpaired[bool(label)].append(row)
