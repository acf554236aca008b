"""Sequential test of whether one model is better than another, valid after every label.

Method: for differences d of two losses in [0, 1], and a margin m >= 0, the wealth

    E = mean over bets b of exp(b S - psi(b) Q),   psi(b) = -ln(1 - b) - b,

with S and Q the sums of (d - m) / (1 + m) and of its squares, is an e-process for the hypothesis
that at no time the challenger was expected to be better by more than m. Each term is bounded by a
bettor's capital (X. Fan, I. Grama, Q. Liu, "Exponential inequalities for martingales with
applications", EJP 20, 2015, lemma 4.1), and such a capital ever exceeds 1 / alpha with probability
at most alpha (J. Ville, 1939), however often it is checked. The construction is the
empirical-Bernstein e-process of S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021), mixed over a
grid of bets. Labels need not be independent. All margins rejected at alpha form a lower confidence
sequence.
"""

from dataclasses import dataclass, field
from math import log, pi

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.arrays import FloatArray

BETS: FloatArray = np.geomspace(0.005, 0.95, 16)
PENALTIES: FloatArray = -np.log1p(-BETS) - BETS
"""psi(b) of each bet."""
MIN_MARGIN = -0.5
"""The lower bound of the gain before any evidence."""
BISECTIONS = 30


@dataclass(slots=True)
class PairedEProcess:
    """The e-process of a champion and a challenger, from the sums of their paired losses."""

    count: int = 0
    champion_total: float = 0.0
    challenger_total: float = 0.0
    squares: float = 0.0

    def add(self, champion: FloatArray, challenger: FloatArray) -> None:
        """Add the losses of both on the same labels, each of shape (n,) in [0, 1]."""
        self.count += len(champion)
        self.champion_total += float(champion.sum())
        self.challenger_total += float(challenger.sum())
        self.squares += float(np.square(champion - challenger).sum())

    @property
    def gain(self) -> float:
        """Mean loss of the champion less that of the challenger; 0 before the first label."""
        return (self.champion_total - self.challenger_total) / self.count if self.count else 0.0

    def log_wealth(self, margin: float = 0.0) -> float:
        """Return the natural log of the e-value against a gain of at most `margin`."""
        total = self.champion_total - self.challenger_total
        return float(log_wealth(self.count, total, self.squares, margin))

    def lower_bound(self, alpha: float) -> float:
        """Return the lower confidence bound of the gain at level `alpha`, valid at any time.

        It is `MIN_MARGIN` as long as the evidence is too weak.
        """
        low, high = MIN_MARGIN, max(self.gain, MIN_MARGIN)
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
) -> FloatArray:
    """Return the natural log of the e-values of many tests.

    Args:
        count: number of labels of each test, of any shape.
        total: sums of the differences of losses, of the same shape.
        squares: sums of their squares, of the same shape.
        margin: the gain that the hypothesis allows.
    """
    n, sums, squared = (np.asarray(one, np.float64)[..., None] for one in (count, total, squares))
    scale = 1.0 + margin
    first = (sums - n * margin) / scale
    second = (squared - 2 * margin * sums + n * margin**2) / scale**2
    mixed: FloatArray = np.logaddexp.reduce(BETS * first - PENALTIES * second, axis=-1)
    return mixed - log(len(BETS))


def alpha_spending(alpha: float, number: int) -> float:
    """Return the share of `alpha` for the `number`-th of successive tests, counted from 1.

    The shares of all tests sum to `alpha`.
    """
    return alpha * 6 / (pi * number) ** 2


@dataclass(slots=True)
class SequentialTest:
    """Successive tests of one candidate against the champion; each spends a smaller alpha."""

    alpha: float
    number: int = 1
    paired: PairedEProcess = field(default_factory=PairedEProcess)

    @property
    def level(self) -> float:
        """The significance level of the current test."""
        return alpha_spending(self.alpha, self.number)

    def add(self, champion: FloatArray, candidate: FloatArray, window: int) -> None:
        """Add paired losses, each (n,); first start the next test if this one has had `window`."""
        if self.paired.count >= window:
            self.reset()
        self.paired.add(champion, candidate)

    def reset(self) -> None:
        """Start the next test, without the evidence so far."""
        self.paired = PairedEProcess()
        self.number += 1

    def is_lost(self) -> bool:
        """Return whether the champion has proved better than the candidate."""
        sums = self.paired
        gain = sums.challenger_total - sums.champion_total
        return bool(log_wealth(sums.count, gain, sums.squares, 0.0) >= -np.log(self.level))

    def is_won(self, margin: float) -> bool:
        """Return whether the candidate has proved better by more than `margin`."""
        return bool(self.paired.log_wealth(margin) >= -np.log(self.level))
