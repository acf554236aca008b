"""The checks of single cells that expectations name, on a `pandas.Series` without missing values.

Each returns for each value whether it is right. The kind of a value is that of `parse_value`, so
that a file is judged as a request is.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from modstream.models.datasets.columns import ColumnKind
from modstream.models.errors import InputError
from modstream.models.schema.columns import Scalar, parse_value

Series = pd.Series
Mask = npt.NDArray[np.bool_]
CheckSeries = Callable[[Series], Series]


def has_kind(kind: ColumnKind) -> CheckSeries:
    """Return a check that values are of a kind."""

    def check(values: Series) -> Series:
        found = _by_dtype(kind, values)
        if found is None:
            found = np.array([_is_of_kind(kind, value) for value in values], np.bool_)
        return pd.Series(found, values.index)

    return check


def is_at_least(low: float) -> CheckSeries:
    """Return a check that numbers are not below a bound; what is no number is not judged."""
    return lambda values: ~(pd.to_numeric(values, errors="coerce") < low)


def is_at_most(high: float) -> CheckSeries:
    """Return a check that numbers are not above a bound; what is no number is not judged."""
    return lambda values: ~(pd.to_numeric(values, errors="coerce") > high)


def is_among(allowed: Sequence[Scalar]) -> CheckSeries:
    """Return a check that values are among some; a number and a bool are not the same."""
    known = {(isinstance(one, bool), one) for one in allowed}

    def check(values: Series) -> Series:
        found = [(isinstance(one, bool | np.bool_), one) in known for one in values]
        return pd.Series(found, values.index, dtype=bool)

    return check


def matches(pattern: str) -> CheckSeries:
    """Return a check that whole texts match a regular expression."""
    return lambda values: values.astype(str).str.fullmatch(pattern)


def _by_dtype(kind: ColumnKind, values: Series) -> Mask | None:
    """Return the answer for values that have one type; None if each must be looked at."""
    dtype = values.dtype
    if types.is_float_dtype(dtype):
        numbers = values.to_numpy(np.float64)
        is_whole = np.isfinite(numbers) & (np.floor(numbers) == numbers)
        by_kind: dict[str, Mask] = {"int": is_whole, "float": np.isfinite(numbers)}
        return by_kind.get(kind, np.zeros(len(values), np.bool_))
    for is_dtype, kinds in _KINDS_OF_DTYPES:
        if is_dtype(dtype):
            return np.full(len(values), kind in kinds)
    return None


_KINDS_OF_DTYPES: Sequence[tuple[Callable[[Any], bool], frozenset[str]]] = (
    (types.is_bool_dtype, frozenset({"bool", "int", "float"})),
    (types.is_integer_dtype, frozenset({"int", "float"})),
    (types.is_datetime64_any_dtype, frozenset({"timestamp"})),
)
"""The kinds that all values of a type have."""


def _is_of_kind(kind: ColumnKind, value: object) -> bool:
    if kind == "other":
        return True
    if kind != "timestamp":
        return not isinstance(parse_value("", kind, value), InputError)
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value) is not None
        except ValueError:
            return False
    return isinstance(value, date)
