"""Do labels contradict what is known? A test of "as ever" against "turned round", by label.

A label is foretold by the answer that was given to its row and by the labels just before it, since
neighbours resemble each other: P(positive) = sigmoid(c + a logit(answer) + b logit(recent share)),
with weights learned as labels come. If labels are turned round, the same holds of their opposites.
The log-likelihood ratio of the two accounts is summed from the last moment when it was not
positive: a chain of sequential probability ratio tests (A. Wald, "Sequential tests of statistical
hypotheses", 1945; E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954). Where the
first account holds, each test of the chain is wrong with probability 1 / bound at most (Ville).
A storm that makes all flights late looks turned round by its first labels only: from then on the
recent share explains it. Labels that are turned round go on to contradict the order of the answers.
"""

from dataclasses import dataclass, field
from math import exp, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MEMORY = 1 / 20
"""What the newest label weighs in the recent share."""
RATE = 0.002
"""Of learning the weights."""
LEAST = 0.02
"""Nearer to 0 or 1 no label is foretold, so that no single one tells much."""
FARTHEST = 0.001
"""Answers count as no nearer to 0 or 1 than this."""
FLATTEST = 0.2
"""The least weight of an answer: one that goes by the opposite of the answers learns no labels."""


class Answered(NamedTuple):
    """Binary labels as 0 and 1, (n,), and the probabilities that were foretold, (n,)."""

    truths: Floats
    scores: Floats


class Turn(NamedTuple):
    """Labels look turned round from now on, or no longer; `since` labels said so."""

    is_turned: bool
    since: int


@dataclass(slots=True)
class Doubt:
    """Watches labels; `is_turned` says how they look now.

    They look turned round, or right again, once that is `bound` times likelier.
    """

    bound: float = 5e8
    is_turned: bool = False
    _wealth: float = 0.0
    _length: int = 0
    _share: float = 0.5
    _other: float = 0.5
    _weights: tuple[float, float, float] = field(default=(0.0, 0.5, 0.5))

    def add(self, answered: Answered) -> Turn | None:
        """Take labels in order; the last turn among them, unless all is as before."""
        before, found = self.is_turned, None
        finite = np.isfinite(answered.scores)
        pairs = zip(answered.truths[finite].tolist(), answered.scores[finite].tolist(), strict=True)
        for truth, score in pairs:
            found = self._step(truth, score) or found
        return found if self.is_turned != before else None

    def accept(self) -> None:
        """Labels count as they are told, from now on."""
        if self.is_turned:
            self._share = 1 - self._share
        self.is_turned = False
        self._restart()

    def _step(self, told: float, score: float) -> Turn | None:
        """One label: foretell it and its opposite, weigh both, learn, and judge."""
        truth = 1 - told if self.is_turned else told
        known = logit(min(max(score, FARTHEST), 1 - FARTHEST))
        recent = logit(self._share, LEAST)
        ever = self._foretold(known, recent)
        other = self._foretold(known, logit(self._other, LEAST))
        self._wealth += log((1 - other) / ever if truth else other / (1 - ever))
        self._length += 1
        if not self.is_turned:
            self._learn(truth - ever, known, recent)
        self._share += MEMORY * (truth - self._share)
        self._other += MEMORY * (1 - truth - self._other)
        if self._wealth <= 0:
            self._restart()
        return self._turn() if self._wealth >= log(self.bound) else None

    def _foretold(self, known: float, recent: float) -> float:
        constant, answer, share = self._weights
        found = 1 / (1 + exp(-(constant + answer * known + share * recent)))
        return min(max(found, LEAST), 1 - LEAST)

    def _learn(self, error: float, known: float, recent: float) -> None:
        constant, answer, share = self._weights
        step = RATE * error
        self._weights = (
            constant + step,
            max(FLATTEST, answer + step * known),
            share + step * recent,
        )

    def _turn(self) -> Turn:
        self.is_turned = not self.is_turned
        turn = Turn(self.is_turned, self._length)
        self._share = self._other
        self._restart()
        return turn

    def _restart(self) -> None:
        """The next test of the chain: until its first label both accounts have seen the same."""
        self._wealth, self._length = 0.0, 0
        self._other = self._share


def logit(share: float, smoothed: float = 0.0) -> float:
    """The logarithm of the odds, with so much added to either side."""
    return log((share + smoothed) / (1 - share + smoothed))
