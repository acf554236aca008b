"""Partial aggregates: what is stored of the events of one group in one slice of time.

To merge two partial aggregates is commutative and associative, and exact. So the merged value is
the same for any order of the events and for any split of them over partitions and processes.
"""

import math
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol

from modstream.processors.features.exact_sum import add
from modstream.processors.features.sketches import (
    Hashes,
    Histogram,
    merge_hashes,
    merge_histograms,
)

KindName = Literal["count", "moments", "min", "max", "newest", "last", "hashes", "histogram"]
Partial = Any
"""A value of one of the kinds below: an integer, a float, or a tuple."""


class PartialKind(Protocol):
    """How partial aggregates of one kind are merged.

    With `is_invertible`, `subtract` takes back what was merged, exactly. `empty` is the value of
    no event. `size` estimates the bytes of a value in memory, without its key; with
    `has_fixed_size`, those of all values are equal.
    """

    is_invertible: bool
    has_fixed_size: bool
    empty: Partial

    def merge(self, one: Partial, other: Partial) -> Partial:
        """Return the value of the events of both."""

    def merge_all(self, partials: Sequence[Partial]) -> Partial:
        """Return the value of the events of all; `empty` for none."""

    def subtract(self, one: Partial, other: Partial) -> Partial:
        """Return the value of the events of `one` without those of `other`."""

    def size(self, partial: Partial) -> int:
        """Return the estimated bytes of a value."""


class _NotInvertible:
    """The base of kinds whose values can only be merged again without those to take back."""

    is_invertible = False
    has_fixed_size = True

    def subtract(self, one: Partial, other: Partial) -> Partial:
        """Raise an error: nothing can be taken back."""
        raise NotImplementedError


class Count:
    """The number of events, or a signed sum of integers."""

    is_invertible = True
    has_fixed_size = True
    empty = 0

    def merge(self, one: int, other: int) -> int:
        """Return the sum."""
        return one + other

    def merge_all(self, partials: Iterable[int]) -> int:
        """Return the sum."""
        return sum(partials)

    def subtract(self, one: int, other: int) -> int:
        """Return the difference."""
        return one - other

    def size(self, _partial: int) -> int:
        """Return the bytes of an integer."""
        return 28


class Moments:
    """The number of values and their exact sum: (count, mantissa, shift)."""

    is_invertible = True
    has_fixed_size = True
    empty = (0, 0, 0)

    def merge(self, one: tuple[int, int, int], other: tuple[int, int, int]) -> Partial:
        """Return the count and the sum of both."""
        count, mantissa, shift = one
        more, added, other_shift = other
        if shift or other_shift:
            return (count + more, *add(mantissa, shift, added, other_shift))
        return count + more, mantissa + added, 0

    def merge_all(self, partials: Iterable[tuple[int, int, int]]) -> Partial:
        """Return the count and the sum of all."""
        count = mantissa = shift = 0
        for more, other, other_shift in partials:
            count += more
            mantissa, shift = add(mantissa, shift, other, other_shift)
        return count, mantissa, shift

    def subtract(self, one: tuple[int, int, int], other: tuple[int, int, int]) -> Partial:
        """Return the count and the sum without those of `other`."""
        count, mantissa, shift = other
        return self.merge(one, (-count, -mantissa, shift))

    def size(self, _partial: tuple[int, int, int]) -> int:
        """Return the bytes of a tuple of three integers, none of them long."""
        return 144


class Least(_NotInvertible):
    """The smallest value; NaN for none."""

    empty = math.nan

    def merge(self, one: float, other: float) -> float:
        """Return the smaller one."""
        return min(one, other)

    def merge_all(self, partials: Sequence[float]) -> float:
        """Return the smallest one."""
        return min(partials, default=math.nan)

    def size(self, _partial: float) -> int:
        """Return the bytes of a float."""
        return 24


class Greatest(_NotInvertible):
    """The largest value; NaN for none. Also the newest time, in ms."""

    empty = math.nan

    def merge(self, one: float, other: float) -> float:
        """Return the larger one."""
        return max(one, other)

    def merge_all(self, partials: Sequence[float]) -> float:
        """Return the largest one."""
        return max(partials, default=math.nan)

    def size(self, _partial: float) -> int:
        """Return the bytes of a number."""
        return 32


class Last(_NotInvertible):
    """The newest event's (time, id, value); of events at the same time, that of the largest id."""

    empty = None

    def merge(self, one: tuple[int, str, float], other: tuple[int, str, float]) -> Partial:
        """Return the newer one."""
        return max(one, other)

    def merge_all(self, partials: Sequence[tuple[int, str, float]]) -> Partial:
        """Return the newest one."""
        return max(partials, default=None)

    def size(self, _partial: tuple[int, str, float]) -> int:
        """Return the bytes of a tuple with a short text."""
        return 200


class SmallestHashes(_NotInvertible):
    """The smallest hashes of the distinct values."""

    has_fixed_size = False
    empty: Hashes = ()

    def merge(self, one: Hashes, other: Hashes) -> Hashes:
        """Return the smallest hashes of both."""
        return merge_hashes(one, other)

    def merge_all(self, partials: Sequence[Hashes]) -> Hashes:
        """Return the smallest hashes of all."""
        found: Hashes = ()
        for one in partials:
            found = merge_hashes(found, one)
        return found

    def size(self, partial: Hashes) -> int:
        """Return the bytes of a tuple of integers."""
        return 56 + 40 * len(partial)


class LogHistogram(_NotInvertible):
    """The numbers of values by bucket."""

    has_fixed_size = False
    empty: Histogram = ()

    def merge(self, one: Histogram, other: Histogram) -> Histogram:
        """Return the histogram of both."""
        return merge_histograms((one, other))

    def merge_all(self, partials: Sequence[Histogram]) -> Histogram:
        """Return the histogram of all."""
        return merge_histograms(partials)

    def size(self, partial: Histogram) -> int:
        """Return the bytes of a tuple of pairs."""
        return 56 + 120 * len(partial)


KINDS: MappingProxyType[KindName, PartialKind] = MappingProxyType(
    {
        "count": Count(),
        "moments": Moments(),
        "min": Least(),
        "max": Greatest(),
        "newest": Greatest(),
        "last": Last(),
        "hashes": SmallestHashes(),
        "histogram": LogHistogram(),
    }
)
"""All kinds by their names."""
