"""The decision threshold of a binary classifier, by the costs of its two kinds of errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.training.errors import CostsMissing


@dataclass(frozen=True, slots=True)
class ErrorCosts:
    """The cost of a false positive and of a false negative, in any unit, both at least 0."""

    false_positive: float
    false_negative: float

    @classmethod
    def of(cls, false_positive: float | None, false_negative: float | None) -> "ErrorCosts | None":
        """Return the costs; None if there are none.

        Raises:
            CostsMissing: only one is given, one is negative, or both are 0.
        """
        if false_positive is None and false_negative is None:
            return None
        if false_positive is None or false_negative is None:
            raise CostsMissing("give both costs, that of a false positive and a false negative")
        if min(false_positive, false_negative) < 0 or not false_positive + false_negative:
            raise CostsMissing("costs are not negative, and not both are 0")
        return cls(false_positive, false_negative)

    @property
    def calibrated_threshold(self) -> float:
        """The best threshold of probabilities that are calibrated."""
        return self.false_positive / (self.false_positive + self.false_negative)


@dataclass(frozen=True, slots=True)
class DecisionThreshold:
    """The probability from which the second class is predicted, and what it costs.

    `cost_per_row` is the mean cost over `rows` rows that the threshold was not chosen on,
    `cost_at_half` that of the threshold 0.5, and `false_positives` and `false_negatives` count the
    errors at the threshold.
    """

    threshold: float
    calibrated_threshold: float
    cost_per_row: float
    cost_at_half: float
    false_positives: int
    false_negatives: int
    rows: int


def choose_threshold(
    targets: NDArray[np.int64], probabilities: FloatArray, costs: ErrorCosts
) -> float:
    """Return the threshold with the least cost on some rows (n,): a probability among them, or 1.

    The second class is predicted from the threshold on. Of thresholds that cost the same, the one
    nearest to that of calibrated probabilities is chosen.
    """
    order = np.argsort(-probabilities, kind="stable")
    ordered, positives = probabilities[order], targets[order] == 1
    missed = positives.sum() - np.concatenate([[0], np.cumsum(positives)])
    raised = np.concatenate([[0], np.cumsum(~positives)])
    cost = raised * costs.false_positive + missed * costs.false_negative
    # Rows of one probability are on the same side; only without a probability of 1 is none raised.
    ends = np.concatenate([ordered[:1] < 1.0, ordered[1:] != ordered[:-1], [True]])
    thresholds = np.concatenate([[1.0], ordered])
    usable = np.flatnonzero(ends)
    cheapest = usable[cost[usable] <= cost[usable].min() + 1e-9]
    distance = np.abs(thresholds[cheapest] - costs.calibrated_threshold)
    return float(thresholds[cheapest[np.argmin(distance)]])


def measure_threshold(
    threshold: float, targets: NDArray[np.int64], probabilities: FloatArray, costs: ErrorCosts
) -> DecisionThreshold:
    """Return what a threshold costs on rows (n,)."""
    raised, missed = _errors(threshold, targets, probabilities)
    rows = max(1, len(targets))
    half = _errors(0.5, targets, probabilities)
    return DecisionThreshold(
        threshold,
        costs.calibrated_threshold,
        _cost(raised, missed, costs) / rows,
        _cost(*half, costs) / rows,
        raised,
        missed,
        len(targets),
    )


def _errors(
    threshold: float, targets: NDArray[np.int64], probabilities: FloatArray
) -> tuple[int, int]:
    predicted = probabilities >= threshold
    return int((predicted & (targets != 1)).sum()), int((~predicted & (targets == 1)).sum())


def _cost(false_positives: int, false_negatives: int, costs: ErrorCosts) -> float:
    return false_positives * costs.false_positive + false_negatives * costs.false_negative
