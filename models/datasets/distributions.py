"""The distribution of a column's numbers: fitted, and named if it fits."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Numbers = npt.NDArray[np.float64]

MIN_VALUES = 50
"""With fewer values, many distributions fit."""
MAX_VALUES = 20_000
"""Number of values that are fitted; of more, every k-th in ascending order."""
MAX_DISTANCE = 0.05
"""Greatest distance between the cumulative shares of the values and of a distribution that fits."""

MIN_SPREAD = 0.1
"""Deviation, as a share of the mean, below which normal and lognormal hardly differ."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A family with its fitted parameters.

    `bic` is its Bayesian information criterion, smaller is better; `distance` the greatest
    difference between its cumulative distribution and that of the values, 0 to 1.
    """

    family: str
    parameters: Mapping[str, float]
    bic: float
    distance: float

    @property
    def fits(self) -> bool:
        """Whether the values are near enough to the distribution to be called by its name."""
        return self.distance <= MAX_DISTANCE

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.parameters.items())
        return f"{self.family} ({values})"


def fit_distribution(values: Numbers) -> Distribution | None:
    """Return the family that explains finite values, shape (n,), best by its BIC.

    Families are normal, lognormal, exponential and uniform. None if there are too few values, or
    all are the same. The best family need not fit: `fits` tells.
    """
    if len(values) < MIN_VALUES or values.min() == values.max():
        return None
    chosen = np.sort(values)
    if len(chosen) > MAX_VALUES:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MAX_VALUES).round().astype(int)]
    found = [
        _judge(family, distribution, fixed, chosen)
        for family, (distribution, fixed) in _FAMILIES.items()
        if _applies(family, chosen)
    ]
    return min(found, key=lambda one: one.bic)


_FAMILIES: Mapping[str, tuple[Any, Mapping[str, float]]] = MappingProxyType(
    {
        "normal": (stats.norm, {}),
        "lognormal": (stats.lognorm, {"floc": 0.0}),
        "exponential": (stats.expon, {"floc": 0.0}),
        "uniform": (stats.uniform, {}),
    }
)
"""The distribution of each family, and its fixed parameters."""
_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "normal": ("mean", "deviation"),
        "lognormal": ("sigma", "", "median"),
        "exponential": ("", "mean"),
        "uniform": ("from", "width"),
    }
)
"""The names of the parameters in scipy's order; fixed ones have none."""


def _applies(family: str, values: Numbers) -> bool:
    if family == "lognormal":
        return bool(values[0] > 0 and values.std() > MIN_SPREAD * values.mean())
    return family != "exponential" or bool(values[0] >= 0)


def _judge(
    family: str,
    distribution: Any,  # noqa: ANN401 - of scipy
    fixed: Mapping[str, float],
    values: Numbers,
) -> Distribution:
    parameters = distribution.fit(values, **fixed)
    with np.errstate(divide="ignore"):
        likelihood = float(distribution.logpdf(values, *parameters).sum())
    size = len(values)
    shares = distribution.cdf(values, *parameters)
    above = np.searchsorted(values, values, side="right") / size
    below = np.searchsorted(values, values, side="left") / size
    distance = float(max(np.abs(above - shares).max(), np.abs(shares - below).max()))
    free = len(parameters) - len(fixed)
    named = {
        name: float(value) for name, value in zip(_NAMES[family], parameters, strict=True) if name
    }
    return Distribution(
        family, MappingProxyType(named), free * log(size) - 2 * likelihood, distance
    )
