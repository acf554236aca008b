"""Detects flipped labels: a sequential likelihood-ratio test of "correct" against "inverted".

A label is predicted from the model's score of its row and from the labels just before it, since
neighbouring labels are correlated: P(positive) = sigmoid(c + a logit(score) + b logit(recent
share)), with weights learned as labels arrive. If labels are flipped, the same holds for their
opposites. The log-likelihood ratio of both hypotheses is summed from the last moment when it was
not positive: a chain of sequential probability ratio tests (A. Wald, "Sequential tests of
statistical hypotheses", 1945; E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954).
While labels are correct, each test of the chain is wrong with probability 1 / threshold at most
(Ville). In a storm that delays all flights, only the first labels look flipped; after them the
recent share of positive labels explains the others. Flipped labels keep contradicting the order of
the scores.
"""

from dataclasses import dataclass, field
from math import exp, log
from typing import NamedTuple

import numpy as np

from modstream.models.evaluation.arrays import FloatArray

RECENT_WEIGHT = 1 / 20
"""Weight of the newest label in the recent share of positive labels."""
LEARNING_RATE = 0.002
"""Learning rate of the weights."""
PROBABILITY_FLOOR = 0.02
"""Predicted probabilities are kept this far from 0 and 1, so that no single label decides."""
SCORE_FLOOR = 0.001
"""Scores are kept this far from 0 and 1."""
MIN_SCORE_WEIGHT = 0.2
"""Minimum weight of the score; a negative weight would learn flipped labels as correct."""


class LabelledScores(NamedTuple):
    """Binary labels as 0 and 1, of shape (n,), and the probabilities predicted for them, (n,)."""

    labels: FloatArray
    scores: FloatArray


class FlipEvent(NamedTuple):
    """Labels look flipped, or correct again, from now on; the last `label_count` labels show it."""

    is_flipped: bool
    label_count: int


@dataclass(slots=True)
class LabelFlipDetector:
    """Watches labels of a binary task; `is_flipped` is its present verdict.

    The verdict changes once the opposite is `threshold` times likelier.
    """

    threshold: float = 5e8
    is_flipped: bool = False
    _log_likelihood_ratio: float = 0.0
    _label_count: int = 0
    _recent_share: float = 0.5
    _recent_share_if_changed: float = 0.5
    _weights: tuple[float, float, float] = field(default=(0.0, 0.5, 0.5))

    def add(self, labelled: LabelledScores) -> FlipEvent | None:
        """Add labels in order; return the last change of the verdict, or None if it is the same.

        Rows whose score is not finite are skipped.
        """
        before, event = self.is_flipped, None
        finite = np.isfinite(labelled.scores)
        labels, scores = labelled.labels[finite], labelled.scores[finite]
        for label, score in zip(labels.tolist(), scores.tolist(), strict=True):
            event = self._add_label(label, score) or event
        return event if self.is_flipped != before else None

    def accept_labels(self) -> None:
        """Take the labels as correct from now on, whether or not they looked flipped."""
        if self.is_flipped:
            self._recent_share = 1 - self._recent_share
        self.is_flipped = False
        self._restart()

    def _add_label(self, label: float, score: float) -> FlipEvent | None:
        """Update the likelihood ratio, the weights and the recent shares with one label."""
        truth = 1 - label if self.is_flipped else label
        score_logit = logit(min(max(score, SCORE_FLOOR), 1 - SCORE_FLOOR))
        recent_logit = logit(self._recent_share, PROBABILITY_FLOOR)
        expected = self._predict(score_logit, recent_logit)
        if_changed = self._predict(
            score_logit, logit(self._recent_share_if_changed, PROBABILITY_FLOOR)
        )
        ratio = (1 - if_changed) / expected if truth else if_changed / (1 - expected)
        self._log_likelihood_ratio += log(ratio)
        self._label_count += 1
        if not self.is_flipped:
            self._learn(truth - expected, score_logit, recent_logit)
        self._recent_share += RECENT_WEIGHT * (truth - self._recent_share)
        self._recent_share_if_changed += RECENT_WEIGHT * (1 - truth - self._recent_share_if_changed)
        if self._log_likelihood_ratio <= 0:
            self._restart()
        return self._flip() if self._log_likelihood_ratio >= log(self.threshold) else None

    def _predict(self, score_logit: float, recent_logit: float) -> float:
        constant, score_weight, recent_weight = self._weights
        odds = constant + score_weight * score_logit + recent_weight * recent_logit
        probability = 1 / (1 + exp(-odds))
        return min(max(probability, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR)

    def _learn(self, error: float, score_logit: float, recent_logit: float) -> None:
        constant, score_weight, recent_weight = self._weights
        step = LEARNING_RATE * error
        self._weights = (
            constant + step,
            max(MIN_SCORE_WEIGHT, score_weight + step * score_logit),
            recent_weight + step * recent_logit,
        )

    def _flip(self) -> FlipEvent:
        self.is_flipped = not self.is_flipped
        event = FlipEvent(self.is_flipped, self._label_count)
        self._recent_share = self._recent_share_if_changed
        self._restart()
        return event

    def _restart(self) -> None:
        """Start the next test of the chain; both hypotheses share the recent labels."""
        self._log_likelihood_ratio, self._label_count = 0.0, 0
        self._recent_share_if_changed = self._recent_share


def logit(probability: float, smoothing: float = 0.0) -> float:
    """Return the log odds, with `smoothing` added to both sides."""
    return log((probability + smoothing) / (1 - probability + smoothing))
