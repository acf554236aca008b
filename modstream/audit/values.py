"""Columns of JSON scalars, such as labels: numbers in eight bytes, other values by their code."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan
from typing import TypeGuard

import numpy as np

from modstream.audit.columns import BoolArray, Column
from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.schema.class_labels import MAX_EXACT_INT

MAX_VALUES = 10_000
"""Number of distinct values besides numbers that are told apart; all others count as one."""
NO_VALUE = 0
OTHER_VALUE = 1


class ValueCodes:
    """Numbers for the values that are no exact float64: strings, booleans, large integers.

    `values` has the value of each code. `NO_VALUE` is that of numbers and of rows without a value.
    """

    def __init__(self) -> None:
        self.values: list[object] = [None, None]
        self._codes: dict[tuple[type, object], int] = {}

    def code_of(self, value: object) -> int:
        """Return the code of a value; `OTHER_VALUE` for NaN, or if too many others have one."""
        if not isinstance(value, bool | int | str):
            return OTHER_VALUE
        key = (type(value), value)
        code = self._codes.get(key)
        if code is None:
            if len(self._codes) == MAX_VALUES:
                return OTHER_VALUE
            code = self._codes[key] = len(self.values)
            self.values.append(value)
        return code


class ValueColumn:
    """A column of JSON scalars by row; rows that were never written have no value."""

    __slots__ = ("_codes", "_known", "_numbers")

    def __init__(self, known: ValueCodes, new_column: Callable[[str, float], Column]) -> None:
        self._known = known
        self._numbers = new_column("d", nan)
        self._codes = new_column("I", NO_VALUE)

    def __setitem__(self, row: int, value: object) -> None:
        if is_exact_number(value):
            self._numbers[row] = value
            code = NO_VALUE
        else:
            self._numbers[row] = nan
            code = self._known.code_of(value)
        if code or self._codes[row]:
            self._codes[row] = code

    def array(self, size: int) -> "ValueArray":
        """Return a copy of the first `size` rows."""
        return ValueArray(
            self._numbers.float_array(size), self._codes.int_array(size), self._known.values
        )


def is_exact_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number that float64 has exactly."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) <= MAX_EXACT_INT
    return isinstance(value, float) and isfinite(value)


@dataclass(frozen=True, slots=True)
class ValueArray:
    """Values as numbers (n,), NaN for others, and the codes of the others (n,)."""

    numbers: FloatArray
    codes: IntArray
    values: list[object]

    def take(self, rows: IntArray | BoolArray) -> "ValueArray":
        """Return some rows."""
        return ValueArray(self.numbers[rows], self.codes[rows], self.values)

    def equals(self, other: "ValueArray") -> BoolArray:
        """Return which rows have the same value in another array, or no value in both, (n,)."""
        both_nan = np.isnan(self.numbers) & np.isnan(other.numbers)
        same: BoolArray = (self.codes == other.codes) & (both_nan | (self.numbers == other.numbers))
        return same

    def indices(self, index_of: Callable[[object], int | None]) -> FloatArray:
        """Return the position of each row's class by `index_of`, (n,); NaN for no class."""
        found = np.full(len(self.numbers), nan)
        is_number = np.isfinite(self.numbers)
        _look_up(found, is_number, self.numbers, lambda number: index_of(float(number)))
        is_coded = self.codes > OTHER_VALUE
        _look_up(found, is_coded, self.codes, lambda code: index_of(self.values[int(code)]))
        return found


def _look_up(
    found: FloatArray,
    mask: BoolArray,
    keys: FloatArray | IntArray,
    index_of: Callable[[float], int | None],
) -> None:
    """Write the position of each distinct key where the mask is set."""
    if not mask.any():
        return
    distinct, inverse = np.unique(keys[mask], return_inverse=True)
    positions = [index_of(key) for key in distinct.tolist()]
    found[mask] = np.array([nan if one is None else one for one in positions])[inverse]
