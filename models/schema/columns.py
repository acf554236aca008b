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
        "float": frozenset({float, int}),
        "int": frozenset({int}),
        "bool": frozenset({bool}),
        "string": frozenset({str}),
    }
)
_JSON_TYPE_NAMES: Mapping[type, str] = MappingProxyType(
    {type(None): "null", str: "string", list: "array", dict: "object"}
)
_INT64 = np.iinfo(np.int64)


def build_column(kind: FeatureKind, values: Sequence[Scalar]) -> FeatureColumn:
    """Return the column, shape (n,), of values that are known to be of the kind."""
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
    if kind == "string" and not _is_valid_unicode("".join(column)):
        return None
    return column


def parse_value(feature: str, kind: FeatureKind, value: object) -> Scalar | InputError:
    """Return one raw value as a Python scalar of the kind, or the error that rejects it."""
    is_bool = isinstance(value, bool | np.bool_)
    if (
        kind == "float"
        and isinstance(value, float | int | np.floating | np.integer)
        and not is_bool
    ):
        return _parse_float(feature, value)
    if kind == "int" and isinstance(value, int | np.integer) and not is_bool:
        fits = _INT64.min <= value <= _INT64.max
        return int(value) if fits else OutOfRange(feature, "int64")
    if kind == "bool" and is_bool:
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


def _is_valid_unicode(text: str) -> bool:
    """Return whether UTF-8 can encode the text; it cannot encode JSON's unpaired surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
