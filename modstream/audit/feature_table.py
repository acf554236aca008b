"""The features of the rows that were predicted, as columns: a sample of them if they are many."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np

from modstream.models.evaluation.arrays import IntArray
from modstream.models.evaluation.monitoring.features import (
    OTHER,
    CategoryColumn,
    FeatureColumn,
    NumberColumn,
)
from modstream.models.schema.class_labels import finite_number

MAX_FEATURES = 60
"""Number of features that are kept; further ones are left out."""
MAX_FEATURE_ROWS = 500_000
"""Maximum number of rows kept; of more rows, every second is kept, or every fourth, and so on."""
MAX_CATEGORIES = 1000
"""Maximum number of distinct texts of a feature; all others count as one."""
MAX_TEXT_LENGTH = 100
"""Texts that begin with the same so many characters count as one."""


@dataclass(slots=True)
class _GrowingColumn:
    """The values of one feature, which has numbers or texts, as its first value is."""

    has_numbers: bool
    values: "array[Any]"
    codes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, value: object) -> "_GrowingColumn":
        """Return the empty column of a feature with this value."""
        has_numbers = not isinstance(value, str)
        return cls(has_numbers, array("d" if has_numbers else "i"))

    def append(self, value: object, row: int) -> None:
        """Write a row's value; rows that were passed over are missing."""
        default = nan if self.has_numbers else -1
        if len(self.values) < row:
            self.values.extend([default] * (row - len(self.values)))
        if not self.has_numbers:
            self.values.append(self._code(value))
        else:
            number = float(value) if isinstance(value, bool) else finite_number(value)
            self.values.append(nan if number is None else number)

    def take(self, kept: IntArray) -> None:
        """Keep some rows only."""
        values = np.array(self.values)
        self.values = array(self.values.typecode, values[kept[kept < len(values)]].tolist())

    def column(self, rows: IntArray) -> FeatureColumn:
        """Return the values of some rows; those beyond the last that was written are missing."""
        written = np.array(self.values)
        if self.has_numbers:
            numbers = np.append(written, nan)
            return NumberColumn(numbers[np.minimum(rows, len(written))])
        codes = np.append(written, -1).astype(np.int64)
        return CategoryColumn(codes[np.minimum(rows, len(written))], tuple(self.codes))

    def _code(self, value: object) -> int:
        if not isinstance(value, str):
            return -1
        text = value[:MAX_TEXT_LENGTH]
        if text not in self.codes and len(self.codes) >= MAX_CATEGORIES:
            text = OTHER
        return self.codes.setdefault(text, len(self.codes))


class FeatureTable:
    """The features of rows, by the number of their key in `StreamAudit.ids`.

    A feature has numbers or texts, as the first of its values; values of the other kind count as
    missing. `every` is 1 while all rows are kept, and doubles when there are `MAX_FEATURE_ROWS`.
    """

    def __init__(self) -> None:
        self.every = 1
        self._keys: array[int] = array("q")
        self._requests: array[int] = array("q")
        self._columns: dict[str, _GrowingColumn] = {}

    def add(self, key: int, request: int, features: Mapping[str, Any]) -> None:
        """Add the features of a row of a request, unless it is not among those that are kept."""
        if key % self.every:
            return
        row = len(self._keys)
        self._keys.append(key)
        self._requests.append(request)
        for name, value in features.items():
            if value is None:
                continue
            column = self._columns.get(name)
            if column is None:
                if len(self._columns) == MAX_FEATURES:
                    continue
                column = self._columns[name] = _GrowingColumn.of(value)
            column.append(value, row)
        if len(self._keys) == MAX_FEATURE_ROWS:
            self._halve()

    def keys(self) -> IntArray:
        """Return the keys of the rows that are kept, each once, in ascending order."""
        return np.unique(_int_array(self._keys))

    def requests(self, keys: IntArray) -> IntArray:
        """Return the rows of the requests of some keys, which must be among `keys()`."""
        return _int_array(self._requests)[self._rows_of(keys)]

    def columns(self, keys: IntArray) -> dict[str, FeatureColumn]:
        """Return the features of rows by their keys, which must be among `keys()`."""
        rows = self._rows_of(keys)
        return {name: column.column(rows) for name, column in self._columns.items()}

    def _rows_of(self, keys: IntArray) -> IntArray:
        known, first = np.unique(_int_array(self._keys), return_index=True)
        return first[np.searchsorted(known, keys)]

    @property
    def size(self) -> int:
        """The number of rows that are kept."""
        return len(self._keys)

    def keep_newest(self, count: int) -> None:
        """Forget all but the rows that were added last."""
        self._keep(np.arange(max(0, len(self._keys) - count), len(self._keys)))

    def _halve(self) -> None:
        self.every *= 2
        self._keep(np.flatnonzero(_int_array(self._keys) % self.every == 0))

    def _keep(self, kept: IntArray) -> None:
        self._keys = array("q", _int_array(self._keys)[kept].tolist())
        self._requests = array("q", _int_array(self._requests)[kept].tolist())
        for column in self._columns.values():
            column.take(kept)


def _int_array(values: "array[int]") -> IntArray:
    return np.array(values, dtype=np.int64)
