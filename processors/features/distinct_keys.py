"""The distinct keys of requests: the values of their groups, and their times."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.processors.features.events import text_of

IntColumn = npt.NDArray[np.int64]


class DistinctKeys(NamedTuple):
    """The distinct keys of n requests, and the index of each request's key, (n,)."""

    keys: list[tuple[Any, ...]]
    codes: IntColumn

    def with_each(self, other: "DistinctKeys") -> "DistinctKeys":
        """Return the distinct pairs of two keys of a request, each pair as one longer key."""
        size = len(other.keys)
        if size == 1:
            return DistinctKeys([(*key, *other.keys[0]) for key in self.keys], self.codes)
        if len(self.keys) == 1:
            return DistinctKeys([(*self.keys[0], *key) for key in other.keys], other.codes)
        pairs, codes = np.unique(self.codes * size + other.codes, return_inverse=True)
        keys = [(*self.keys[one // size], *other.keys[one % size]) for one in pairs.tolist()]
        return DistinctKeys(keys, codes)


def distinct_texts(column: Sequence[object]) -> DistinctKeys:
    """Return the distinct texts of a field's values; a missing value is None."""
    values = column.tolist() if isinstance(column, np.ndarray) else column
    texts = values if set(map(type, values)) == {str} else list(map(text_of, values))
    index: defaultdict[object, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(index.__getitem__, texts), np.int64, len(texts))
    return DistinctKeys([(text,) for text in index], codes)


def distinct_moments(times: IntColumn, unit: int) -> DistinctKeys:
    """Return the distinct numbers of a unit's multiples (ms) up to each of n times, n > 0."""
    numbers = times // unit
    first = int(numbers[0])
    if (numbers == first).all():
        return DistinctKeys([(first,)], np.zeros(len(times), np.int64))
    moments, codes = np.unique(numbers, return_inverse=True)
    return DistinctKeys([(one,) for one in moments.tolist()], codes)


def distinct_groups(fields: Iterable[DistinctKeys], size: int) -> DistinctKeys:
    """Return the distinct groups of `size` requests by some fields; without fields, one group."""
    return reduce(DistinctKeys.with_each, fields, DistinctKeys([()], np.zeros(size, np.int64)))
