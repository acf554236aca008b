"""Values of one feature to one numpy column: fast for a clean list, precise for a single value."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, SupportsFloat

import numpy as np
import numpy.typing as npt

from modstream.models.errors import InputError, NotFinite, OutOfRange, WrongType

Kind = Literal["float", "int", "bool", "string"]
Scalar = float | int | str | bool
Column = npt.NDArray[Any]

_DTYPES: Mapping[Kind, Any] = MappingProxyType(
    {"float": np.float64, "int": np.int64, "bool": np.bool_, "string": np.object_}
)
_EXACT_TYPES: Mapping[Kind, frozenset[type]] = MappingProxyType(
    {
        "float": frozenset({float, int}),
        "int": frozenset({int}),
        "bool": frozenset({bool}),
        "string": frozenset({str}),
    }
)
_JSON_WORDS: Mapping[type, str] = MappingProxyType(
    {type(None): "null", str: "string", list: "array", dict: "object"}
)
_INT64 = np.iinfo(np.int64)


def build(kind: Kind, values: Sequence[Scalar]) -> Column:
    """Make the column of values that are known to be of the kind, shape (n,)."""
    return np.array(values, dtype=_DTYPES[kind])


def clean_column(kind: Kind, values: Sequence[object]) -> Column | None:
    """Make the column of raw values, shape (n,), or None if any of them needs a closer look."""
    if not _EXACT_TYPES[kind].issuperset(map(type, values)):
        return None
    try:
        column = np.array(values, dtype=_DTYPES[kind])
    except OverflowError:
        return None
    if kind == "float" and not np.isfinite(column).all():
        return None
    if kind == "string" and not _is_unicode("".join(column)):
        return None
    return column


def read(feature: str, kind: Kind, value: object) -> Scalar | InputError:
    """Read one raw value as a Python scalar of the kind; what is wrong with it is returned."""
    is_bool = isinstance(value, bool | np.bool_)
    if (
        kind == "float"
        and isinstance(value, float | int | np.floating | np.integer)
        and not is_bool
    ):
        return _read_float(feature, value)
    if kind == "int" and isinstance(value, int | np.integer) and not is_bool:
        fits = _INT64.min <= value <= _INT64.max
        return int(value) if fits else OutOfRange(feature, "int64")
    if kind == "bool" and is_bool:
        return bool(value)
    if kind == "string" and isinstance(value, str):
        return str(value) if _is_unicode(value) else WrongType(feature, kind, "broken Unicode")
    return WrongType(feature, kind, _JSON_WORDS.get(type(value), type(value).__name__))


def _read_float(feature: str, value: SupportsFloat) -> float | InputError:
    try:
        number = float(value)
    except OverflowError:
        return OutOfRange(feature, "float64")
    return number if math.isfinite(number) else NotFinite(feature)


def _is_unicode(text: str) -> bool:
    """Tell whether UTF-8 can write the text; not so an unpaired surrogate, which JSON allows."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
