"""Conversion of one feature's values to a numpy column, or of one value to a Python scalar."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, SupportsFloat

import numpy as np
import numpy.typing as npt

from modstream.models.errors import InputError, NotFinite, OutOfRange, WrongType

FeatureKind = Literal["float", "int", "bool", "string"]
Scalar = float | int | str | bool
FeatureColumn = npt.NDArray[Any]

_DTYPES: Mapping[FeatureKind, Any] = MappingProxyType(
    {"float": np.float64, "int": np.int64, "bool": np.bool_, "string": np.object_}
)
_EXACT_TYPES: Mapping[FeatureKind, frozenset[type]] = MappingProxyType(
    {
        "float": frozenset({float, int, bool}),
        "int": frozenset({int, bool}),
        "bool": frozenset({bool}),
        "string": frozenset({str}),
    }
)
_JSON_TYPE_NAMES: Mapping[type, str] = MappingProxyType(
    {type(None): "null", str: "string", list: "array", dict: "object"}
)
_INT64 = np.iinfo(np.int64)


def build_column(kind: FeatureKind, values: Sequence[Scalar | None]) -> FeatureColumn:
    """Return the column, shape (n,), of values that are known to be of the kind, or missing."""
    return np.array(values, dtype=_DTYPES[kind])


def clean_column(kind: FeatureKind, values: Sequence[object]) -> FeatureColumn | None:
    """Return the column, shape (n,), of raw values; None if they must be parsed one by one."""
    if not _EXACT_TYPES[kind].issuperset(map(type, values)):
        return None
    try:
        column = np.array(values, dtype=_DTYPES[kind])
    except OverflowError:
        return None
    if kind == "float" and not np.isfinite(column).all():
        return None
    if kind == "string" and not _is_valid_unicode("".join(values)):  # type: ignore[arg-type]
        return None
    return column


def parse_value(feature: str, kind: FeatureKind, value: object) -> Scalar | InputError:
    """Return one raw value as a Python scalar of the kind, or the error that rejects it.

    JSON has one type of numbers: 3.0 is an integer. A bool counts as the number 0 or 1.
    """
    is_number = isinstance(value, float | int | np.floating | np.integer | np.bool_)
    if kind == "float" and is_number:
        return _parse_float(feature, value)  # type: ignore[arg-type]  # one of the types above
    if kind == "int" and is_number:
        return _parse_int(feature, value)  # type: ignore[arg-type]  # one of the types above
    if kind == "bool" and isinstance(value, bool | np.bool_):
        return bool(value)
    if kind == "string" and isinstance(value, str):
        text = str(value)
        return text if _is_valid_unicode(text) else WrongType(feature, kind, "invalid Unicode")
    return WrongType(feature, kind, _JSON_TYPE_NAMES.get(type(value), type(value).__name__))


def _parse_float(feature: str, value: SupportsFloat) -> float | InputError:
    try:
        number = float(value)
    except OverflowError:
        return OutOfRange(feature, "float64")
    return number if math.isfinite(number) else NotFinite(feature)


def _parse_int(feature: str, value: SupportsFloat) -> int | InputError:
    if isinstance(value, float | np.floating):
        number = float(value)
        if not math.isfinite(number):
            return NotFinite(feature)
        if not number.is_integer():
            return WrongType(feature, "int", "a number with a fraction")
    whole = int(value)  # type: ignore[call-overload]  # a float without a fraction, or an integer
    fits = _INT64.min <= whole <= _INT64.max
    return whole if fits else OutOfRange(feature, "int64")


def is_nan(value: object) -> bool:
    """Return whether a value is the float NaN."""
    return isinstance(value, float) and math.isnan(value)


def _is_valid_unicode(text: str) -> bool:
    """Return whether UTF-8 can encode the text; it cannot encode JSON's unpaired surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
