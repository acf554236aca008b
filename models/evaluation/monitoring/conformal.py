"""Adaptive conformal prediction: sets and intervals that keep their coverage when data drift.

Method: I. Gibbs, E. Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021.
The score of a label is how badly it fits the prediction: 1 - its probability, or the absolute error
of a regression. A set has all labels whose score is at most a threshold, the quantile of the newest
scores at 1 - alpha. After each label, alpha grows by `step * level` if the label was covered, and
shrinks by `step * (1 - level)` if not. Over T labels, the share that is not covered then differs
from `level` by at most (max(level, 1 - level) + step) / (step T), whatever the data are.

Labels arrive late: a label counts against the threshold that its prediction was made with. With at
most d labels outstanding at any time, the bound grows to (max(level, 1 - level) + step (1 + d)) /
(step T).
"""

from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np

from modstream.models.evaluation.arrays import FloatArray, IntArray

MAX_PENDING = 100_000
"""Number of predictions that wait for their label; the oldest are dropped beyond it."""


@dataclass(frozen=True, slots=True)
class ConformalSettings:
    """What an adaptive conformal predictor aims at.

    Attributes:
        level: the share of labels outside their set, alpha.
        step: how much alpha changes with each label, gamma. A smaller one is slower and smoother.
        window: the number of newest scores whose quantile is the threshold.
    """

    level: float = 0.1
    step: float = 0.005
    window: int = 2000


@dataclass(slots=True)
class AdaptiveConformal:
    """The threshold of prediction sets, updated with each label.

    `alpha` is the current level; outside 0 to 1, the set has all labels, or none. Before the first
    labels it has all.
    """

    settings: ConformalSettings = field(default_factory=ConformalSettings)
    alpha: float = 0.0
    _newest: deque[float] = field(default_factory=deque)
    _sorted: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start at the level that is aimed at."""
        self.alpha = self.settings.level

    def threshold(self) -> float:
        """Return the largest score of a label in the set: infinite for all labels, or none."""
        if self.alpha >= 1:
            return -inf
        rank = ceil((len(self._sorted) + 1) * (1 - self.alpha))
        if rank > len(self._sorted) or self.alpha <= 0:
            return inf
        return self._sorted[max(rank, 1) - 1]

    def update(self, score: float, threshold: float) -> None:
        """Add the score of a label, and the threshold that its set was made with."""
        self.count_outcome(is_outside=score > threshold)
        self.add_score(score)

    def count_outcome(self, *, is_outside: bool, step: float | None = None) -> None:
        """Adapt alpha to a label that was outside its set, or inside; by default by the step."""
        step = self.settings.step if step is None else step
        self.alpha += step * (self.settings.level - is_outside)

    def add_score(self, score: float) -> None:
        """Add the score of a label to the window."""
        if len(self._newest) == self.settings.window:
            oldest = self._newest.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._newest.append(score)
        insort(self._sorted, score)

    @property
    def scores(self) -> tuple[float, ...]:
        """The scores in the window, the oldest first."""
        return tuple(self._newest)

    def restore(self, alpha: float, scores: Iterable[float]) -> None:
        """Continue from an earlier alpha and its window, the oldest score first."""
        self.alpha = alpha
        self._newest = deque(list(scores)[-self.settings.window :])
        self._sorted = sorted(self._newest)


@dataclass(slots=True)
class LateConformal:
    """Adaptive conformal prediction with late labels, by the key of the prediction.

    `dropped` counts the predictions that were forgotten because too many waited for their label.
    """

    state: AdaptiveConformal = field(default_factory=AdaptiveConformal)
    max_pending: int = MAX_PENDING
    dropped: int = 0
    _pending: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)

    def predict(self, key: Hashable) -> float:
        """Return the threshold for a new prediction; it is kept until the label arrives."""
        threshold = self._pending[key] = self.state.threshold()
        if len(self._pending) > self.max_pending:
            self._pending.popitem(last=False)
            self.dropped += 1
        return threshold

    def label(self, key: Hashable, score: float) -> bool | None:
        """Add the score of a late label; return whether its set had it.

        The result is None if the prediction is unknown, or has had a label; then nothing changes.
        """
        threshold = self._pending.pop(key, None)
        if threshold is None:
            return None
        self.state.update(score, threshold)
        return score <= threshold


def replay_thresholds(
    predicted_at: IntArray,
    labelled_at: IntArray,
    scores: FloatArray,
    settings: ConformalSettings | None = None,
) -> FloatArray:
    """Return the threshold of each prediction, (n,), as it would have been at its time.

    Args:
        predicted_at: the time of each prediction, (n,).
        labelled_at: the time of its label, (n,); labels are known to predictions of that time.
        scores: the score of its label, (n,).
        settings: those of the predictor.
    """
    conformal = LateConformal(AdaptiveConformal(settings or ConformalSettings()), len(scores))
    times = np.concatenate([predicted_at, np.maximum(labelled_at, predicted_at + 1)])
    is_prediction = np.repeat([1, 0], len(scores))
    thresholds, listed = np.empty(len(scores)), scores.tolist()
    for event in np.lexsort((is_prediction, times)).tolist():
        if event < len(listed):
            thresholds[event] = conformal.predict(event)
        else:
            row = event - len(listed)
            conformal.label(row, listed[row])
    return thresholds


def class_scores(probabilities: FloatArray) -> FloatArray:
    """Return the score of each class, (n, k), from the probabilities of k classes."""
    return 1 - probabilities


def prediction_set(probabilities: Sequence[float], threshold: float) -> tuple[int, ...]:
    """Return the positions of the classes in the set of one row; it may be empty."""
    return tuple(place for place, one in enumerate(probabilities) if 1 - one <= threshold)


def prediction_interval(value: float, threshold: float) -> tuple[float, float]:
    """Return the ends of the interval around a regression's value.

    With a threshold of minus infinity, the interval is empty: its ends are NaN.
    """
    if threshold < 0:
        return float("nan"), float("nan")
    return value - threshold, value + threshold
