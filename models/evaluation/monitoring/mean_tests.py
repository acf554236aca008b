"""One-sided tests that the mean of a sample is greater than that of another one, for many samples.

Independent rows are compared by Welch's test: B. L. Welch, "The generalization of Student's problem
when several different population variances are involved", Biometrika 34 (1947).

Rows of one day are often not independent: they share a storm, or an outage. Then rows are grouped
in blocks, and the variance of a difference is estimated from the sums of the blocks: K.-Y. Liang,
S. L. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986). The
statistic is compared with Student's distribution with one degree of freedom less than there are
blocks with rows of the sample.
"""

from typing import NamedTuple, Self

import numpy as np
from scipy import special

from modstream.models.evaluation.arrays import FloatArray


class RowSamples(NamedTuple):
    """Counts, sums and sums of squares of k samples of independent values; each of shape (k,)."""

    counts: FloatArray
    totals: FloatArray
    squares: FloatArray

    def __sub__(self, part: Self) -> "RowSamples":
        """Return the samples without a part of each."""
        return RowSamples(*map(np.subtract, self, part))

    def take(self, kept: np.ndarray) -> "RowSamples":
        """Return some samples."""
        return RowSamples(*(one[kept] for one in self))

    def sizes(self) -> FloatArray:
        """Return the number of values of each sample, (k,)."""
        return self.counts

    def means(self) -> FloatArray:
        """Return the mean of each sample, (k,); NaN of an empty one."""
        with np.errstate(all="ignore"):
            found: FloatArray = self.totals / self.counts
            return found

    def greater(self, other: Self) -> FloatArray:
        """Return the p-values (k,) that each mean is not greater than that of another sample.

        A comparison without two values on each side has the p-value 1.
        """
        own, others = self._variances(), other._variances()
        variance = own + others
        with np.errstate(all="ignore"):
            freedom = variance**2 / (own**2 / (self.counts - 1) + others**2 / (other.counts - 1))
        return _p_values(self.means() - other.means(), variance, freedom)

    def _variances(self) -> FloatArray:
        """Return the variances of the means (k,); NaN of less than two values."""
        with np.errstate(all="ignore"):
            deviations = np.maximum(self.squares - self.totals**2 / self.counts, 0)
            found = deviations / (self.counts - 1) / self.counts
        return np.where(self.counts > 1, found, np.nan)


class BlockSamples(NamedTuple):
    """Counts and sums of k samples in each of b blocks; each of shape (k, b)."""

    counts: FloatArray
    totals: FloatArray

    def __sub__(self, part: Self) -> "BlockSamples":
        """Return the samples without a part of each."""
        return BlockSamples(*map(np.subtract, self, part))

    def take(self, kept: np.ndarray) -> "BlockSamples":
        """Return some samples."""
        return BlockSamples(*(one[kept] for one in self))

    def sizes(self) -> FloatArray:
        """Return the number of values of each sample, (k,)."""
        found: FloatArray = self.counts.sum(1)
        return found

    def means(self) -> FloatArray:
        """Return the mean of each sample, (k,); NaN of an empty one."""
        with np.errstate(all="ignore"):
            found: FloatArray = self.totals.sum(1) / self.sizes()
            return found

    def greater(self, other: Self) -> FloatArray:
        """Return the p-values (k,) that each mean is not greater than that of another sample.

        A comparison without two blocks on each side has the p-value 1.
        """
        blocks = (self.counts > 0).sum(1).astype(np.float64)
        is_comparable = (blocks > 1) & ((other.counts > 0).sum(1) > 1)
        with np.errstate(all="ignore"):
            influence = self._influences() - other._influences()
            variance = np.square(influence).sum(1) * blocks / (blocks - 1)
        variance = np.where(is_comparable, variance, np.nan)
        return _p_values(self.means() - other.means(), variance, blocks - 1)

    def _influences(self) -> FloatArray:
        """Return what each block adds to the deviation of a sample's mean, (k, b)."""
        deviations = self.totals - self.means()[:, None] * self.counts
        found: FloatArray = deviations / self.sizes()[:, None]
        return found


Samples = RowSamples | BlockSamples


def _p_values(difference: FloatArray, variance: FloatArray, freedom: FloatArray) -> FloatArray:
    """Return one-sided p-values (k,) of differences by Student's distribution.

    They are 1 if the variance is NaN. Without any variance, they are 0 if the difference is
    positive, otherwise 1.
    """
    with np.errstate(all="ignore"):
        found = special.stdtr(freedom, -difference / np.sqrt(variance))
    found = np.where(variance == 0, np.where(difference > 0, 0.0, 1.0), found)
    return np.where(np.isfinite(found), found, 1.0)
