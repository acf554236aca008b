"""Losses of predictions in [0, 1], and rank errors, whose mean is 1 - AUC."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modstream.models.errors import PredictError
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.runtimes.runtime import (
    AnyRuntime,
    CompositeRuntime,
    NamedRuntime,
    Outputs,
    TensorRuntime,
)
from modstream.models.schema.card import ModelCard
from modstream.models.schema.class_labels import ClassLabels, finite_number
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.promote.label_flip import LabelledScores

COMPARABLE_TASKS = frozenset({"binary", "multiclass", "regression"})
"""Tasks for which `losses` is defined."""

RowScores = tuple[float, ...]
"""The scores of several models for one row."""

MAX_UNPAIRED = 50
"""Maximum number of rows of one class that wait for a partner; the oldest are dropped."""


def predict_or_none(runtime: AnyRuntime, batch: Batch) -> Outputs | None:
    """Return the model's outputs for a batch, or None if it has no such outputs or fails."""
    if isinstance(runtime, NamedRuntime | TensorRuntime | CompositeRuntime):
        return None
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
    `error_scale`, at most 1. A missing or non-finite prediction has a loss of 1, and so has a label
    that is none of the classes of this version.
    """
    if outputs is None:
        return np.ones(len(labels))
    if card.task == "regression":
        with np.errstate(over="ignore"):
            raw = np.abs(outputs - numeric_labels(labels)) / error_scale
    elif card.task == "binary":
        raw = np.square(outputs - binary_labels(card, labels))
    else:
        indices = class_indices(card, labels)
        truths = indices[:, None] == np.arange(outputs.shape[1])
        raw = np.square(outputs - truths).sum(axis=1) / 2
        raw[np.isnan(indices)] = 1.0
    clipped: FloatArray = np.where(np.isfinite(raw), np.clip(raw, 0.0, 1.0), 1.0)
    return clipped


def binary_labels(card: ModelCard, labels: Sequence[Scalar]) -> FloatArray:
    """Return the labels of a binary task as 0 and 1, of shape (n,); NaN if it is no class."""
    return class_indices(card, labels)


def class_indices(card: ModelCard, labels: Sequence[Scalar]) -> FloatArray:
    """Return the positions of the labels' classes, of shape (n,); NaN if a label is no class."""
    classes = ClassLabels.of(card.task, card.classes)
    found = (classes.index_of(label) for label in labels)
    return np.array([np.nan if index is None else index for index in found], np.float64)


def numeric_labels(labels: Sequence[Scalar]) -> FloatArray:
    """Return the labels of a regression, of shape (n,); NaN if a label is no finite number."""
    found = map(finite_number, labels)
    return np.array([np.nan if one is None else one for one in found], np.float64)


def labelled_scores(
    card: ModelCard | None, outputs: Outputs | None, labels: Sequence[Scalar]
) -> LabelledScores | None:
    """Return the labels and scores of a binary task; None for other tasks or without scores."""
    if card is None or outputs is None or card.task != "binary":
        return None
    return LabelledScores(binary_labels(card, labels), outputs)


def scores_or_nan(outputs: Outputs | None, labels: Sequence[Scalar]) -> FloatArray:
    """Return the scores, (n,), or NaN for each label if there are none."""
    return np.full(len(labels), np.nan) if outputs is None else outputs


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
