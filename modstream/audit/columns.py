"""Columns that grow: a quarter of a million rows in a few megabytes."""

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

CHUNK = 4096
"""Rows by which a column grows at least."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Column:
    """One number per row; rows that were never written hold the default.

    `code` is the type of a value as module `array` names it: "q" int64, "I" uint32, "d" float64.
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
            more = max(missing, CHUNK)
            self._values.extend(array(self._values.typecode, [self._default]) * more)
        self._values[row] = value

    def count(self, row: int) -> int:
        """Add one; returns how many there are now."""
        number: int = self[row] + 1
        self[row] = number
        return number

    def ints(self, size: int) -> Ints:
        """The first `size` rows, (size,), as a copy."""
        return self._copy(size).astype(np.int64)

    def floats(self, size: int) -> Floats:
        """The first `size` rows, (size,), as a copy."""
        return self._copy(size).astype(np.float64)

    def _copy(self, size: int) -> npt.NDArray[Any]:
        found = np.array(self._values)[:size]
        rest = np.full(size - len(found), self._default)
        return np.concatenate([found, rest]) if len(rest) else found


class Numbering:
    """Gives every key a row, in the order in which keys are first met."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: object) -> int:
        rows = self.rows
        return rows.setdefault(key, len(rows))
