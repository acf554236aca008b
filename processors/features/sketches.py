"""Mergeable summaries of many values: a log-linear histogram, and the smallest hashes.

Both are exact functions of the set or multiset of values: no order and no split changes them.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

Histogram = tuple[tuple[int, int], ...]
"""The numbers of values by bucket, (bucket, count), in ascending order of the buckets."""
Hashes = tuple[int, ...]
"""Distinct hashes of 64 bits in ascending order, at most MAX_HASHES."""

BUCKETS_PER_OCTAVE = 64
"""A bucket is at most 1/64 of its values wide, so its middle is wrong by less than 0.8%."""
MAX_HASHES = 128
"""Up to as many distinct values are counted exactly; more with a standard error of 9%."""
_LOWEST_EXPONENT = 1074
_HASH_RANGE = float(2**64)


def bucket_of(value: float) -> int:
    """Return the bucket of a finite number; buckets have the order of their values.

    The computation is exact, so that all machines agree.
    """
    if not value:
        return 0
    fraction, exponent = math.frexp(abs(value))
    part = int((2 * fraction - 1) * BUCKETS_PER_OCTAVE)
    bucket = (exponent + _LOWEST_EXPONENT) * BUCKETS_PER_OCTAVE + part + 1
    return bucket if value > 0 else -bucket


def middle_of(bucket: int) -> float:
    """Return the middle of a bucket."""
    if not bucket:
        return 0.0
    octave, part = divmod(abs(bucket) - 1, BUCKETS_PER_OCTAVE)
    exponent = octave - _LOWEST_EXPONENT - 1
    middle = math.ldexp(1 + (part + 0.5) / BUCKETS_PER_OCTAVE, exponent)
    return middle if bucket > 0 else -middle


def merge_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """Return the histogram of all values."""
    counts: Counter[int] = Counter()
    for histogram in histograms:
        for bucket, count in histogram:
            counts[bucket] += count
    return tuple(sorted(counts.items()))


def quantile_of(histogram: Histogram, share: float) -> float:
    """Return the value of rank floor(share * (n - 1)), as the middle of its bucket; else NaN."""
    rank = math.floor(share * (sum(count for _, count in histogram) - 1))
    for bucket, count in histogram:
        rank -= count
        if rank < 0:
            return middle_of(bucket)
    return math.nan


def hash_of(text: str) -> int:
    """Return the hash of a text."""
    content = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


def merge_hashes(one: Hashes, other: Hashes) -> Hashes:
    """Return the smallest hashes of both."""
    if len(other) == 1 and one:
        found = other[0]
        if len(one) == MAX_HASHES and found > one[-1]:
            return one
        place = bisect_left(one, found)
        if place < len(one) and one[place] == found:
            return one
        return (*one[:place], found, *one[place:])[:MAX_HASHES]
    return tuple(sorted({*one, *other})[:MAX_HASHES])


def distinct_count(hashes: Hashes) -> float:
    """Return the number of distinct values, estimated if there are MAX_HASHES hashes or more.

    Source: Bar-Yossef et al., "Counting distinct elements in a data stream", 2002.
    """
    if len(hashes) < MAX_HASHES:
        return float(len(hashes))
    return (MAX_HASHES - 1) * _HASH_RANGE / (hashes[-1] + 1)
