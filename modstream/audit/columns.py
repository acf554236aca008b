"""Growing columns of numbers: a quarter of a million rows in a few megabytes."""

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.metrics import FloatArray

MIN_GROWTH_ROWS = 4096
"""Minimum number of rows by which a column grows."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Column:
    """A column with one number per row; rows that were never written have the default.

    `code` is the type code of module `array`: "q" int64, "I" uint32, "d" float64.
    """

    __slots__ = ("_default", "_values")

    def __init__(self, code: str, default: float = 0) -> None:
        self._default: Any = default
        self._values: array[Any] = array(code)

    def __getitem__(self, row: int) -> Any:  # noqa: ANN401 - int or float, by the code
        return self._values[row] if row < len(self._values) else self._default

    def __setitem__(self, row: int, value: float) -> None:
        missing = row + 1 - len(self._values)
        if missing > 0:
            growth = max(missing, MIN_GROWTH_ROWS)
            self._values.extend(array(self._values.typecode, [self._default]) * growth)
        self._values[row] = value

    def increment(self, row: int) -> int:
        """Add one to a row's number and return the sum."""
        number: int = self[row] + 1
        self[row] = number
        return number

    def int_array(self, size: int) -> IntArray:
        """Return a copy of the first `size` rows, shape (size,)."""
        return self._copy(size).astype(np.int64)

    def float_array(self, size: int) -> FloatArray:
        """Return a copy of the first `size` rows, shape (size,)."""
        return self._copy(size).astype(np.float64)

    def _copy(self, size: int) -> npt.NDArray[Any]:
        found = np.array(self._values)[:size]
        rest = np.full(size - len(found), self._default)
        return np.concatenate([found, rest]) if len(rest) else found


class RowIndex:
    """A map that gives each new key the next row number."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: object) -> int:
        rows = self.rows
        return rows.setdefault(key, len(rows))
