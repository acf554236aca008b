"""The values of features for requests, column by column."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from modstream.processors.features.events import text_of
from modstream.processors.features.layout import Grouping, Place, ReadFeature
from modstream.processors.features.state import FeatureState

FloatColumn = npt.NDArray[np.float64]
IntColumn = npt.NDArray[np.int64]
MS_PER_SECOND = 1000.0
Key = tuple[str | None, ...]


class FeatureReader:
    """Reads the features of requests from a state, each at the event time of its request.

    The value of a feature at a time is that of the slices of its window, of which the newest is
    the slice of that time. It depends on nothing but these slices, the group and the time.
    """

    def __init__(self, state: FeatureState) -> None:
        self._state = state
        self._layout = state.layout

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
        found = np.asarray(times, dtype=np.int64)
        numbers = [
            self._read(number, grouping, columns, found)
            for number, grouping in enumerate(self._layout.groupings)
        ]
        return self.combine(numbers, found)

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

    def _read(
        self,
        number: int,
        grouping: Grouping,
        columns: Mapping[str, Sequence[object]],
        times: IntColumn,
    ) -> list[FloatColumn]:
        if not len(times):
            return [np.empty((len(one.empty), 0)) for one in grouping.blocks]
        keys, codes = group_keys(grouping, columns)
        return [
            self._block((number, block), keys, codes, times)
            for block in range(len(grouping.blocks))
        ]

    def _block(
        self, place: tuple[int, int], keys: list[Key], codes: IntColumn | None, times: IntColumn
    ) -> FloatColumn:
        """Return the numbers of a block, (numbers, n)."""
        slices = times // self._layout.groupings[place[0]].blocks[place[1]].slice_ms
        first = int(slices[0])
        asked = [(key, first) for key in keys]
        if (slices != first).any():
            low = int(slices.min())
            span = int(slices.max()) - low + 1
            pairs = (slices - low) if codes is None else codes * span + (slices - low)
            unique, codes = np.unique(pairs, return_inverse=True)
            asked = [(keys[pair // span], pair % span + low) for pair in unique.tolist()]
        table = np.array(self._rows(place, asked), dtype=np.float64).T
        if codes is None:
            return np.repeat(table, len(slices), axis=1)
        taken: FloatColumn = table.take(codes, axis=1)
        return taken

    def _rows(
        self, place: tuple[int, int], asked: Sequence[tuple[Key, int]]
    ) -> list[tuple[float, ...]]:
        """Return the numbers of a block for groups and slices."""
        grouping, number = place
        block = self._layout.groupings[grouping].blocks[number]
        find, empty, rows = self._state.group, block.empty, []
        for key, at in asked:
            group = find(grouping, key)
            rows.append(empty if group is None else group.read(number, block, at))
        return rows


def group_keys(
    grouping: Grouping, columns: Mapping[str, Sequence[object]]
) -> tuple[list[Key], IntColumn | None]:
    """Return the distinct groups of requests, and the index of each request's one, shape (n,).

    Without fields there is one group, and no indexes.
    """
    if not grouping.fields:
        return [()], None
    texts = [_texts(columns[name]) for name in grouping.fields]
    rows = texts[0] if len(texts) == 1 else list(zip(*texts, strict=True))
    index: dict[object, int] = {}
    codes = [index.setdefault(row, len(index)) for row in rows]
    keys: list[Key] = [(one,) for one in index] if len(texts) == 1 else list(index)  # type: ignore[misc,arg-type]
    return keys, np.array(codes, dtype=np.int64)


def _texts(column: Sequence[object]) -> Sequence[object]:
    """Return the values as the texts of groups."""
    values = column.tolist() if isinstance(column, np.ndarray) else column
    if set(map(type, values)) == {str}:
        return values
    return [text_of(value) for value in values]


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
