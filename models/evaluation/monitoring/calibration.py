"""Calibration: whether events that are predicted with probability p happen with frequency p.

The bins have equal numbers of rows (equal mass). The expected calibration error (ECE) is the mean
of |frequency - mean probability| over the bins, weighted by their rows (M. P. Naeini et al.,
"Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015). This plug-in estimator
is biased upwards, because a frequency differs from its probability by chance: `ece_by_chance` is
what it would show of a perfectly calibrated model with the same predictions. `rms_error` is the
root of the mean squared difference with that chance subtracted, which is unbiased before the root
is taken (A. Kumar et al., "Verified uncertainty calibration", NeurIPS 2019). All three miss what
averages out within a bin.
"""

from dataclasses import dataclass
from math import nan, pi, sqrt

import numpy as np

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.monitoring.significance import wilson_interval

MAX_BINS = 15
MIN_BIN_ROWS = 30
"""Smallest number of rows of a bin; there are fewer bins if there are not enough rows."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows of one bin: their mean probability, and the frequency with its 95 % interval."""

    count: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The reliability curve of some predictions, and their calibration errors."""

    count: int
    bins: tuple[ReliabilityBin, ...]
    ece: float
    ece_by_chance: float
    rms_error: float


NO_CALIBRATION = Calibration(0, (), nan, nan, nan)


def measure_calibration(
    outcomes: FloatArray, probabilities: FloatArray, max_bins: int = MAX_BINS
) -> Calibration:
    """Return the calibration of probabilities (n,) of events; `outcomes` (n,) are 0 or 1.

    Of a multiclass model, the event is that the class with the highest probability is right. Less
    than `MIN_BIN_ROWS` rows have no calibration.
    """
    total = len(outcomes)
    bins = min(max_bins, total // MIN_BIN_ROWS)
    if not bins:
        return NO_CALIBRATION
    # Equal probabilities stay together, so that the order of the rows does not matter.
    order = np.argsort(probabilities, kind="stable")
    ranks = np.searchsorted(probabilities[order], probabilities, side="left")
    codes = ranks * bins // total
    count = np.bincount(codes, minlength=bins).astype(np.float64)
    used = count > 0
    count = count[used]
    sums, hits, spread = (
        np.bincount(codes, one, bins)[used].astype(np.float64)
        for one in (probabilities, outcomes, probabilities * (1 - probabilities))
    )
    predicted, observed = sums / count, hits / count
    low, high = wilson_interval(hits, count)
    gap, weight = np.abs(observed - predicted), count / total
    by_chance = np.sqrt(2 / pi * spread) / count
    # A bin of one row says nothing about its own variance.
    chance = np.where(count > 1, observed * (1 - observed) / np.maximum(count - 1, 1), gap**2)
    return Calibration(
        count=total,
        bins=tuple(
            ReliabilityBin(int(rows), *map(float, rest))
            for rows, *rest in zip(count, predicted, observed, low, high, strict=True)
        ),
        ece=float(weight @ gap),
        ece_by_chance=float(weight @ by_chance),
        rms_error=sqrt(max(float(weight @ (gap**2 - chance)), 0.0)),
    )
