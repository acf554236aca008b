"""Exact sums of float64 numbers, which do not depend on the order of the additions.

A sum is a pair of integers (mantissa, shift) with the value mantissa / 2**shift. The shift is the
smallest possible one that is not negative, so that equal sums are equal pairs.
"""

import math

ExactSum = tuple[int, int]
ZERO: ExactSum = (0, 0)


def exact(value: float) -> ExactSum:
    """Return a finite number as a sum."""
    numerator, denominator = value.as_integer_ratio()
    return numerator, denominator.bit_length() - 1


def add(mantissa: int, shift: int, other: int, other_shift: int) -> ExactSum:
    """Return the sum of mantissa / 2**shift and other / 2**other_shift."""
    if shift == other_shift:
        total = mantissa + other
    elif shift > other_shift:
        total = mantissa + (other << (shift - other_shift))
    else:
        total = (mantissa << (other_shift - shift)) + other
        shift = other_shift
    if not shift:
        return total, 0
    if not total:
        return ZERO
    zeros = min((total & -total).bit_length() - 1, shift)
    return total >> zeros, shift - zeros


def quotient(mantissa: int, shift: int, count: int = 1) -> float:
    """Return the sum divided by a count, rounded once; infinite if it is too large."""
    try:
        return mantissa / (count << shift if shift else count)
    except OverflowError:
        return math.inf if mantissa > 0 else -math.inf
