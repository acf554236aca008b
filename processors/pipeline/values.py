"""Columns of a batch of n rows in which single rows may have no value, or an error instead."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.models.schema.columns import Scalar

Mask = npt.NDArray[np.bool_]
Column = npt.NDArray[Any]


class Value(NamedTuple):
    """A value of each row.

    `data` has shape (n,), or () for a value that all rows have. `missing` and `failed` are masks of
    the same shapes, None for no row. What `data` holds in such rows means nothing.
    """

    data: Column
    missing: Mask | None = None
    failed: Mask | None = None

    def take(self, rows: Column) -> "Value":
        """Return the values of some rows."""
        return self._map(lambda one: one[rows] if one.ndim else one)

    def expand(self, size: int) -> "Value":
        """Return the value with arrays of shape (size,)."""
        return self._map(lambda one: one if one.ndim else np.repeat(one, size))

    def _map(self, function: Callable[[Column], Column]) -> "Value":
        missing = None if self.missing is None else function(self.missing)
        failed = None if self.failed is None else function(self.failed)
        return Value(function(self.data), missing, failed)

    def where(self, mask: Mask) -> "Value":
        """Return the value as missing in all other rows."""
        return self._replace(missing=either(self.missing, ~mask))


def either(*masks: Mask | None) -> Mask | None:
    """Return where any of some masks is true; None for nowhere."""
    found = None
    for mask in masks:
        if mask is not None:
            found = mask if found is None else found | mask
    return found


def constant(value: Scalar) -> Value:
    """Return a value that all rows have."""
    return Value(np.array(value, dtype=object) if isinstance(value, str) else np.array(value))


def nothing() -> Value:
    """Return a value that no row has."""
    return Value(np.array(0.0), np.array(True))


def is_nowhere(value: Value) -> bool:
    """Return whether no row has the value, so that its kind is unknown."""
    return value.missing is not None and bool(value.missing.all())


def column_of(values: Sequence[Any]) -> Column:
    """Return the column of Python values of one kind; of several kinds, they stay objects."""
    kinds = set(map(type, values))
    if kinds == {bool}:
        return np.array(values, np.bool_)
    if kinds == {int} and all(-(2**63) <= one < 2**63 for one in values):
        return np.array(values, np.int64)
    if kinds and kinds <= {int, float}:
        return np.array(values, np.float64)
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def scatter(value: Value, rows: Column, size: int) -> Value:
    """Return values of some rows as those of all, missing in the other rows."""
    found = value.expand(len(rows))
    data = np.zeros(size, found.data.dtype)
    data[rows] = found.data
    missing = np.ones(size, np.bool_)
    missing[rows] = False if found.missing is None else found.missing
    failed = None
    if found.failed is not None:
        failed = np.zeros(size, np.bool_)
        failed[rows] = found.failed
    return Value(data, missing if missing.any() else None, failed)


def fill(value: Value, rows: Mask, default: Scalar) -> Value:
    """Return a value with a default in some rows."""
    found = value.expand(len(rows))
    stand_in = constant(default).data
    both = {found.data.dtype.kind, stand_in.dtype.kind}
    data = found.data
    if is_nowhere(found):
        data = np.zeros(len(rows), stand_in.dtype)
    elif found.data.dtype != stand_in.dtype:
        data = data.astype(np.float64 if both <= {"i", "f"} else object)
    data = np.where(rows, stand_in, data)
    missing = None if found.missing is None else found.missing & ~rows
    failed = None if found.failed is None else found.failed & ~rows
    return Value(data, missing, failed)
