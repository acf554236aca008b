"""The ranges of the numpy types that a model computes in: a value outside its type's is rejected.

A conversion to a smaller type would otherwise turn 4294967297 into 1, or 1e39 into infinity.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

FeatureDtype = Literal[
    "float16", "float32", "int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64"
]
"""The types that are smaller than a column's own, float64 or int64, or have another range."""


class Range(NamedTuple):
    """The least and the greatest number of a type."""

    low: float
    high: float


def _range_of(dtype: str) -> Range:
    if dtype.startswith("float"):
        # Half the distance to the next number above is rounded down to the greatest one.
        greatest = float(np.finfo(dtype).max)
        return Range(-greatest, greatest)
    limits = np.iinfo(dtype)
    return Range(int(limits.min), min(int(limits.max), np.iinfo(np.int64).max))


RANGES: Mapping[str, Range] = MappingProxyType(
    {dtype: _range_of(dtype) for dtype in FeatureDtype.__args__}  # type: ignore[attr-defined]
)
"""The range of each type."""
