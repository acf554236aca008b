"""The difference between two predictions of the same rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def largest_difference(expected: Any, found: Any) -> float:  # noqa: ANN401 - values of JSON
    """Return the largest difference of a number in two nested predictions.

    It is absolute for expected magnitudes below 1, and relative above. Infinity stands for another
    label, shape or name, and for a number on one side only; NaN equals NaN.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        if expected.keys() != found.keys():
            return math.inf
        return max((largest_difference(expected[key], found[key]) for key in expected), default=0.0)
    if _is_list(expected) and _is_list(found):
        if len(expected) != len(found):
            return math.inf
        pairs = zip(expected, found, strict=True)
        return max((largest_difference(*pair) for pair in pairs), default=0.0)
    if _is_number(expected) and _is_number(found):
        return _difference(float(expected), float(found))
    return 0.0 if expected == found else math.inf


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _difference(expected: float, found: float) -> float:
    if expected == found or (math.isnan(expected) and math.isnan(found)):
        return 0.0
    difference = abs(expected - found) / max(1.0, abs(expected))
    return difference if math.isfinite(difference) else math.inf
