"""Is one model better than another? Evidence that may be looked at after every label.

Method: for differences d of two losses in [0, 1], and a margin m >= 0, the wealth

    E = mean over bets b of exp(b S - psi(b) Q),   psi(b) = -ln(1 - b) - b,

with S and Q the sums of (d - m) / (1 + m) and of its squares, is an e-process for the hypothesis
that at no time the challenger was expected to be better by more than m: each term is bounded by a
bettor's capital (X. Fan, I. Grama, Q. Liu, "Exponential inequalities for martingales with
applications", EJP 20, 2015, lemma 4.1), and such a capital exceeds 1 / alpha with probability at
most alpha, whenever one looks (J. Ville, 1939). It is the empirical-Bernstein construction of
S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences", Annals of Statistics 49 (2021), mixed over a grid of bets. Labels need not be
independent. All margins that it rejects at alpha form a lower confidence sequence.
"""

from dataclasses import dataclass
from math import log, pi

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BETS: Floats = np.geomspace(0.005, 0.95, 16)
PRICES: Floats = -np.log1p(-BETS) - BETS
LEAST_MARGIN = -0.5
BISECTIONS = 30


@dataclass(slots=True)
class Paired:
    """Two models on the same labels, in four sums: all that the test needs to know."""

    count: int = 0
    champion: float = 0.0
    challenger: float = 0.0
    squares: float = 0.0

    def add(self, champion: Floats, challenger: Floats) -> None:
        """Take the losses of both on the same labels, each (n,) in [0, 1]."""
        self.count += len(champion)
        self.champion += float(champion.sum())
        self.challenger += float(challenger.sum())
        self.squares += float(np.square(champion - challenger).sum())

    @property
    def gain(self) -> float:
        """By how much the challenger's mean loss is smaller; 0 before the first label."""
        return (self.champion - self.challenger) / self.count if self.count else 0.0

    def log_wealth(self, margin: float = 0.0) -> float:
        """Natural logarithm of the e-value against "better by no more than `margin`"."""
        total = self.champion - self.challenger
        return float(log_wealth(self.count, total, self.squares, margin))

    def lower_bound(self, alpha: float) -> float:
        """The gain that it has at least, at any time, but for a chance of `alpha`.

        -0.5 where nothing can be said yet.
        """
        low, high = LEAST_MARGIN, max(self.gain, LEAST_MARGIN)
        if self.log_wealth(low) < -log(alpha):
            return low
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            if self.log_wealth(middle) < -log(alpha):
                high = middle
            else:
                low = middle
        return low


def log_wealth(
    count: npt.ArrayLike, total: npt.ArrayLike, squares: npt.ArrayLike, margin: float
) -> Floats:
    """The same of many tests; counts, sums of differences and of their squares, of any shape."""
    n, sums, squared = (np.asarray(one, np.float64)[..., None] for one in (count, total, squares))
    scale = 1.0 + margin
    first = (sums - n * margin) / scale
    second = (squared - 2 * margin * sums + n * margin**2) / scale**2
    found: Floats = np.logaddexp.reduce(BETS * first - PRICES * second, axis=-1) - log(len(BETS))
    return found


def spent(alpha: float, trial: int) -> float:
    """What of `alpha` the `trial`-th test in a row may spend, from 1 on: all of them sum to it."""
    return alpha * 6 / (pi * trial) ** 2
