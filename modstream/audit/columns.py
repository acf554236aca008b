"""Growing columns of numbers: a quarter of a million rows in a few megabytes."""

from array import array
from hashlib import blake2b
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.arrays import FloatArray, IntArray

MAX_KEY_LENGTH = 40
"""Length up to which a text is kept as a key itself."""
MIN_GROWTH_ROWS = 4096
"""Minimum number of rows by which a column grows."""

RANGES = {"q": (-(2**63), 2**63 - 1), "I": (0, 2**32 - 1), "d": (nan, nan)}
"""What is written instead of numbers below and above the range, by type code."""

BoolArray = npt.NDArray[np.bool_]


class Column:
    """A column with one number per row; rows that were never written have the default.

    `code` is the type code of module `array`: "q" int64, "I" uint32, "d" float64. A number beyond
    the range of the code is written as its nearest end, as NaN in float64.
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
        try:
            self._values[row] = value
        except OverflowError:
            low, high = RANGES[self._values.typecode]
            self._values[row] = high if value > 0 else low

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
    """A map that gives each new key the next row number.

    A text of more than `MAX_KEY_LENGTH` characters is kept as its hash.
    """

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: object) -> int:
        if isinstance(key, str) and len(key) > MAX_KEY_LENGTH:
            key = blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()
        rows = self.rows
        return rows.setdefault(key, len(rows))


class ScatteredColumn(Column):
    """A column of which few rows are written: it takes memory for these rows only.

    `index` maps written rows to their places; columns of one table share it.
    """

    __slots__ = ("_index",)

    def __init__(self, index: RowIndex, code: str, default: float = 0) -> None:
        super().__init__(code, default)
        self._index = index

    def __getitem__(self, row: int) -> Any:  # noqa: ANN401 - int or float, by the code
        place = self._index.rows.get(row)
        return self._default if place is None else super().__getitem__(place)

    def __setitem__(self, row: int, value: float) -> None:
        super().__setitem__(self._index[row], value)

    def _copy(self, size: int) -> npt.NDArray[Any]:
        places = np.fromiter(self._index.rows.keys(), np.int64, len(self._index))
        written = super()._copy(len(places))
        rows = np.full(size, self._default, written.dtype)
        known = places < size
        rows[places[known]] = written[known]
        return rows
