"""Confidence bands of prequential figures, from what the metrics contain. Pure.

The bands are computed for one window of labels, as if its rows were independent of each other:

- `accuracy` is a share of `n` rows. Its band is the score interval of E. B. Wilson, "Probable
  inference, the law of succession, and statistical inference", JASA 22 (1927):
  centre (p + z²/2n) / (1 + z²/n), half width z / (1 + z²/n) · sqrt(p (1 - p) / n + z²/4n²).
- `mae` is the mean of the absolute errors, and `rmse`² the mean of their squares, so that
  rmse² - mae² is their variance. The band is the normal one:
  mae ± z · sqrt((rmse² - mae²) / (n - 1)).
- The metrics do not contain the variance of the other figures; these have no band.
"""

from collections.abc import Mapping
from math import isfinite, sqrt

from modstream.dashboard.snapshots import Band
from modstream.models.evaluation.monitoring.significance import NORMAL_95, wilson_interval

MIN_ROWS = 30
"""Fewer rows have no normal band: the mean of so few is not distributed normally."""
UNKNOWN_VARIANCE = Band(
    None, None, "none", "the metrics do not contain the variance of this figure"
)
FEW_LABELS = Band(None, None, "none", f"fewer than {MIN_ROWS} labels")
NO_LABELS = Band(None, None, "none", "no labels")


def band_of(metric: str, values: Mapping[str, float], rows: int) -> Band:
    """Return the band of one metric among the `values` over `rows` labels."""
    value = values[metric]
    if rows < 1:
        return NO_LABELS
    if metric == "accuracy" and 0 <= value <= 1:
        return share_band(value, rows)
    if metric == "mae" and "rmse" in values:
        variance = max(0.0, values["rmse"] ** 2 - value**2)
        return mean_band(value, sqrt(variance / max(rows - 1, 1)), rows)
    return UNKNOWN_VARIANCE


def share_band(share: float, rows: int) -> Band:
    """Return the band of a share of `rows`, at least 1, by Wilson's interval."""
    low, high = wilson_interval(share * rows, float(rows))
    return Band(float(low), float(high), "wilson")


def mean_band(mean: float, error: float, rows: int) -> Band:
    """Return the normal band of a mean that is never negative, by its standard error."""
    if rows < MIN_ROWS or not isfinite(error):
        return FEW_LABELS
    half = NORMAL_95 * error
    return Band(max(0.0, mean - half), mean + half, "normal")
