"""Casts of values to another kind; what cannot be cast fails in its row."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modstream.processors.errors import StepUnusable
from modstream.processors.pipeline.values import Value, either, is_nowhere

INT64_MIN, INT64_MAX = -(2.0**63), 2.0**63


def _cast(function: Callable[[Any], Any], dtype: Any) -> Callable[[Sequence[Value]], Value]:  # noqa: ANN401
    """Return a cast of single values; one that cannot be cast fails in its row."""

    def apply(values: Sequence[Value]) -> Value:
        (value,) = values
        usable = np.ones(value.data.shape, np.bool_)
        for mask in (value.missing, value.failed):
            if mask is not None:
                usable &= ~mask
        found, failed = np.zeros(value.data.shape, dtype), np.zeros(value.data.shape, np.bool_)
        for index in zip(*np.nonzero(np.atleast_1d(usable)), strict=True):
            at = index if value.data.ndim else ()
            try:
                found[at] = function(
                    value.data[at].item() if value.data.dtype != object else value.data[at]
                )
            except (ValueError, OverflowError):
                failed[at] = True
        return Value(found, value.missing, either(value.failed, failed if failed.any() else None))

    return apply


def to_float(values: Sequence[Value]) -> Value:
    """Return numbers, bools or texts as floats."""
    (value,) = values
    if value.data.dtype.kind != "O":
        return value._replace(data=value.data.astype(np.float64))
    return _FLOAT_OF_TEXT(values)


def to_int(values: Sequence[Value]) -> Value:
    """Return numbers towards zero, bools or texts as integers."""
    (value,) = values
    kind = value.data.dtype.kind
    if kind == "O":
        return _INT_OF_TEXT(values)
    if kind != "f":
        return value._replace(data=value.data.astype(np.int64))
    whole = np.trunc(value.data)
    wrong = ~((whole >= INT64_MIN) & (whole < INT64_MAX))
    if value.missing is not None:
        wrong &= ~value.missing
    failed = either(value.failed, np.asarray(wrong)) if wrong.any() else value.failed
    unknown = wrong if value.missing is None else wrong | value.missing
    return Value(np.where(unknown, 0.0, whole).astype(np.int64), value.missing, failed)


def to_bool(values: Sequence[Value]) -> Value:
    """Return whether numbers are not 0."""
    (value,) = values
    if value.data.dtype.kind == "O" and not is_nowhere(value):
        raise StepUnusable("`bool` takes numbers")
    return value._replace(data=np.asarray(value.data != 0))


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_FLOAT_OF_TEXT = _cast(_finite_float, np.float64)
_INT_OF_TEXT = _cast(int, np.int64)
to_text = _cast(_text, object)
"""Returns numbers, bools (`true`, `false`) or texts as texts."""
