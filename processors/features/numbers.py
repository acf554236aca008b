"""The numbers that are read of merged partial aggregates."""

import math

from modstream.processors.features.exact_sum import quotient

_LARGE = 2**53


def mean_of(moments: tuple[int, int, int]) -> float:
    """Return the mean, rounded once; NaN without values."""
    count, mantissa, shift = moments
    return quotient(mantissa, shift, count) if count else math.nan


def sum_of(moments: tuple[int, int, int]) -> float:
    """Return the sum, rounded once."""
    _, mantissa, shift = moments
    # Most sums are small integers.
    is_small = not shift and -_LARGE < mantissa < _LARGE
    return float(mantissa) if is_small else quotient(mantissa, shift)


def count_of(moments: tuple[int, int, int]) -> float:
    """Return the number of values."""
    return float(moments[0])


def last_of(last: tuple[int, str, float] | None) -> float:
    """Return the value of the newest event; NaN without events."""
    return math.nan if last is None else last[2]


def overdue_of(count: int) -> float:
    """Return the number of labels that are missing; never negative."""
    return float(max(count, 0))
