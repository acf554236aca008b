"""The values of features for requests, column by column."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.processors.features.distinct_keys import (
    DistinctKeys,
    IntColumn,
    distinct_groups,
    distinct_moments,
    distinct_texts,
)
from modstream.processors.features.layout import Place, ReadFeature
from modstream.processors.features.state import ReadableState

FloatColumn = npt.NDArray[np.float64]
MS_PER_SECOND = 1000.0


class SharedColumns(NamedTuple):
    """Features of n requests, of which many have the same values.

    `table` has the values of the distinct requests, (names, k), and `codes` the index of each
    request among them, (n,).
    """

    names: tuple[str, ...]
    table: FloatColumn
    codes: IntColumn

    def columns(self) -> FloatColumn:
        """Return the values of all requests by feature, (names, n)."""
        found: FloatColumn = self.table.take(self.codes, axis=1)
        return found


class FeatureReader:
    """Reads the features of requests from a state, each at the event time of its request.

    The value of a feature at a time is that of the slices of its window, of which the newest is
    the slice of that time. It depends on nothing but these slices, the group and the time.
    """

    def __init__(self, state: ReadableState) -> None:
        self._state = state
        self._layout = state.layout
        self._features = {one.definition.name: one for one in self._layout.features}
        blocks = (block for grouping in self._layout.groupings for block in grouping.blocks)
        self._unit = gcd(*(block.slice_ms for block in blocks))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order of their definitions."""
        return self._state.features.names

    def values(
        self, columns: Mapping[str, Sequence[object]], times: npt.ArrayLike
    ) -> dict[str, FloatColumn]:
        """Return the features of n requests, each of shape (n,).

        Args:
            columns: the requests' features by name, lists or arrays of n values each. A request
                whose value for a field of a group is missing has the features of an unknown group.
            times: the event times in ms, shape (n,).
        """
        found: dict[str, FloatColumn] = {}
        for one in self.shared(self.names, columns, times):
            found.update(zip(one.names, one.columns(), strict=True))
        return found

    def shared(
        self,
        names: Sequence[str],
        columns: Mapping[str, Sequence[object]],
        times: npt.ArrayLike,
    ) -> list[SharedColumns]:
        """Return some features of n requests, in the order of the names.

        Args:
            names: the names; neighbours with the same group are returned together.
            columns: as those of `values`.
            times: the event times in ms, shape (n,).
        """
        asked = np.asarray(times, dtype=np.int64)
        if not len(asked):
            return [SharedColumns(tuple(names), np.empty((len(names), 0)), asked)]
        requests = _Requests(self._state, self._unit, columns, asked)
        runs = groupby((self._features[name] for name in names), _sharing)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return [requests.shared(tuple(features)) for _, features in runs]

    def combine(
        self, numbers: Sequence[Sequence[FloatColumn]], times: IntColumn
    ) -> dict[str, FloatColumn]:
        """Return the features, each of shape (n,), that are made of the numbers of all blocks.

        Args:
            numbers: for each grouping and block, an array of shape (numbers, n).
            times: the event times in ms, shape (n,).
        """

        def get(place: Place) -> FloatColumn:
            column: FloatColumn = numbers[place.grouping][place.block][place.index]
            return column

        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return {
                one.definition.name: _feature(one, [get(place) for place in one.places], times)
                for one in self._layout.features
            }


class _Numbers(NamedTuple):
    """The numbers of a grouping's blocks for its distinct keys, (numbers, k) each.

    A key is a group and a moment; `moments` has the index of that among all moments, (k,).
    """

    distinct: DistinctKeys
    moments: IntColumn
    blocks: list[FloatColumn]


class _Requests:
    """Some requests, and what has been read of the state for them."""

    def __init__(
        self,
        state: ReadableState,
        unit: int,
        columns: Mapping[str, Sequence[object]],
        times: IntColumn,
    ) -> None:
        self._state, self._unit, self._columns, self._times = state, unit, columns, times
        self._moments = distinct_moments(times, unit)
        self._index = {moment: at for at, (moment,) in enumerate(self._moments.keys)}
        self._texts: dict[str, DistinctKeys] = {}
        self._numbers: dict[int, _Numbers] = {}

    def shared(self, features: tuple[ReadFeature, ...]) -> SharedColumns:
        """Return features that `_sharing` puts together."""
        names = tuple(one.definition.name for one in features)
        grouping, is_shared = _sharing(features[0])
        own = self._read(grouping)
        columns = [[self._column(place, own) for place in one.places] for one in features]
        codes = own.distinct.codes
        if not is_shared:
            columns = [[one.take(codes) for one in numbers] for numbers in columns]
            codes = np.arange(len(codes))
        made = [
            _feature(one, numbers, self._times)
            for one, numbers in zip(features, columns, strict=True)
        ]
        return SharedColumns(names, np.array(made), codes)

    def _column(self, place: Place, own: _Numbers) -> FloatColumn:
        """Return a number for the keys of a grouping: its own, or that of all groups."""
        numbers = self._read(place.grouping)
        column: FloatColumn = numbers.blocks[place.block][place.index]
        return column if numbers is own else column.take(own.moments)

    def _read(self, number: int) -> _Numbers:
        if number not in self._numbers:
            self._numbers[number] = self._read_numbers(number)
        return self._numbers[number]

    def _read_numbers(self, number: int) -> _Numbers:
        grouping = self._state.layout.groupings[number]
        texts = [self._distinct_texts(name) for name in grouping.fields]
        distinct = distinct_groups(texts, len(self._times)).with_each(self._moments)
        moments = [self._index[key[-1]] for key in distinct.keys]
        groups = self._state.groups(number, [key[:-1] for key in distinct.keys])
        blocks = []
        for at, block in enumerate(grouping.blocks):
            slices = [moment * self._unit // block.slice_ms for (moment,) in self._moments.keys]
            rows = [
                block.empty if group is None else group.read(at, block, slices[moment])
                for group, moment in zip(groups, moments, strict=True)
            ]
            blocks.append(np.array(rows, dtype=np.float64).T)
        return _Numbers(distinct, np.array(moments, dtype=np.int64), blocks)

    def _distinct_texts(self, name: str) -> DistinctKeys:
        if name not in self._texts:
            self._texts[name] = distinct_texts(self._columns[name])
        return self._texts[name]


def _sharing(one: ReadFeature) -> tuple[int, bool]:
    """Return the grouping of a feature, and whether all requests of a key have one value of it."""
    return one.places[0].grouping, one.aggregate != "time_since"


def _feature(one: ReadFeature, numbers: list[FloatColumn], times: IntColumn) -> FloatColumn:
    """Return a feature, shape (n,), from its numbers."""
    if one.aggregate == "time_since":
        return np.maximum(times - numbers[0], 0.0) / MS_PER_SECOND
    if one.aggregate == "rate":
        return _rate(one, *numbers)
    return numbers[0]


def _rate(
    one: ReadFeature,
    total: FloatColumn,
    count: FloatColumn,
    all_total: FloatColumn | None = None,
    all_count: FloatColumn | None = None,
) -> FloatColumn:
    """Return (total + smoothing * prior) / (count + smoothing), or the prior without events."""
    definition = one.definition
    prior: FloatColumn | float | None = definition.prior
    if all_total is not None and all_count is not None:
        prior = all_total / all_count
    if prior is None:
        return total / count
    smoothing = definition.smoothing or 0.0
    if not smoothing:
        return np.where(count == 0, prior, total / count)
    return (total + smoothing * prior) / (count + smoothing)
