"""How good the answers of all candidates are on the same labels, since the start. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.processors.promote.losses import labelled_scores

BINS = 1 << 16
"""Number of probabilities that are told apart for the AUC."""
SMALLEST = 1e-7
"""Probabilities are at least as far from 0 and 1, so that one row costs at most 16 nats."""


class CandidateScore(NamedTuple):
    """The number of labels, the AUC and the log loss (nats) of a candidate's answers."""

    labels: int
    auc: float
    log_loss: float


@dataclass(slots=True)
class _Counts:
    loss: float = 0.0
    negatives: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    positives: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, labels: FloatArray, probabilities: FloatArray) -> None:
        clipped = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
        self.loss -= float(np.log(np.where(labels > 0, clipped, 1 - clipped)).sum())
        bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
        np.add.at(self.positives, bins[labels > 0], 1)
        np.add.at(self.negatives, bins[labels <= 0], 1)

    def score(self) -> CandidateScore:
        positives, negatives = int(self.positives.sum()), int(self.negatives.sum())
        below = np.cumsum(self.negatives) - self.negatives / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = np.divide(float(self.positives @ below), positives * negatives)
            loss = np.divide(self.loss, positives + negatives)
        return CandidateScore(positives + negatives, float(auc), float(loss))


@dataclass(slots=True)
class CandidateScores:
    """The scores of the candidates of a binary task, each on the answers that it would have given.

    Only rows count for which each candidate that is compared has a probability, so that all are
    scored on the same labels; a candidate that comes later begins with the next rows.
    """

    _counts: dict[str, _Counts] = field(default_factory=dict)

    def add(
        self,
        cards: Mapping[str, ModelCard],
        outputs: Mapping[str, Outputs | None],
        labels: Sequence[Scalar],
    ) -> None:
        """Add the answers to a batch of labelled rows, by candidate."""
        scored = {
            name: found
            for name, card in cards.items()
            if (found := labelled_scores(card, outputs.get(name), labels)) is not None
        }
        if not scored:
            return
        is_valid = np.logical_and.reduce(
            [np.isfinite(one.labels) & np.isfinite(one.scores) for one in scored.values()]
        )
        for name, one in scored.items():
            counts = self._counts.setdefault(name, _Counts())
            counts.add(one.labels[is_valid], one.scores[is_valid])

    def scores(self) -> dict[str, CandidateScore]:
        """Return the score of each candidate."""
        return {name: counts.score() for name, counts in self._counts.items()}

    def values(self) -> dict[str, float]:
        """Return the scores as values of metrics, `<candidate>.<figure>`."""
        return {
            f"{name}.{figure}": float(value)
            for name, score in self.scores().items()
            for figure, value in score._asdict().items()
            if np.isfinite(value)
        }
