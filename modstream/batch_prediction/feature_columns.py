"""The features of a table: columns of Arrow as columns of an input schema.

Values that are clean in all features are converted column by column. All other rows are parsed by
the schema value by value, as those of a request, so that each has the same error as there.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modstream.models.errors import InputError
from modstream.models.schema.columns import FeatureColumn, FeatureKind
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.ranges import RANGES

Mask = NDArray[np.bool_]
INT64_LIMIT = 2.0**63
EMPTY: Mapping[FeatureKind, Any] = MappingProxyType(
    {"float": np.nan, "int": 0, "bool": False, "string": None}
)
"""What stands in a column where the value of a row is not clean, by kind."""


class FeatureRows(NamedTuple):
    """The valid rows of a table, with their positions in it, and the errors by position."""

    batch: Batch
    positions: NDArray[np.intp]
    errors: dict[int, InputError]


def read_features(schema: InputSchema, rows: Any) -> FeatureRows:  # noqa: ANN401 - of pyarrow
    """Return the features of a table or record batch of Arrow, which has all their columns."""
    size: int = rows.num_rows
    columns: dict[str, FeatureColumn] = {}
    clean = np.ones(size, np.bool_)
    for feature in schema.features:
        columns[feature.name], mask = _read_column(feature, _whole(rows.column(feature.name)))
        clean &= mask
    positions = np.flatnonzero(clean)
    if len(positions) == size:
        return FeatureRows(Batch(columns, size), positions, {})
    batch = Batch({name: column[positions] for name, column in columns.items()}, len(positions))
    others = np.flatnonzero(~clean)
    parsed = schema.parse_rows(rows.select(list(schema.names)).take(others).to_pylist())
    errors = {int(others[at]): error for at, error in parsed.errors.items()}
    if not parsed.valid_positions:
        return FeatureRows(batch, positions, errors)
    whole = Batch.concat([batch, parsed.batch])
    return FeatureRows(whole, np.concatenate([positions, others[parsed.valid_positions]]), errors)


def _read_column(feature: Feature, values: Any) -> tuple[FeatureColumn, Mask]:  # noqa: ANN401
    """Return a column, shape (n,), and whether each of its values is clean, (n,)."""
    if pa.types.is_null(values.type):
        column = np.full(len(values), EMPTY[feature.kind], object if _is_text(feature) else None)
        return column, np.full(len(values), feature.missing)
    column, clean = _READERS[feature.kind](values)
    is_null = _array(pc.is_null(values))
    if is_null.any():
        clean = np.where(is_null, feature.missing, clean)
    if feature.kind == "float" and feature.missing:
        clean |= np.isnan(column) & ~is_null
    if feature.dtype is not None:
        low, high = RANGES[feature.dtype]
        with np.errstate(invalid="ignore"):
            clean &= ~((column < low) | (column > high))
    return column, clean


def _is_text(feature: Feature) -> bool:
    return feature.kind == "string"


def _floats(values: Any) -> tuple[FeatureColumn, Mask]:  # noqa: ANN401
    if not _is_number(values.type):
        return _none_clean("float", len(values))
    column = _array(pc.cast(values, pa.float64(), safe=False)).astype(np.float64, copy=False)
    return column, np.isfinite(column)


def _ints(values: Any) -> tuple[FeatureColumn, Mask]:  # noqa: ANN401
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        filled = pc.fill_null(values, pa.scalar(0, kind) if pa.types.is_integer(kind) else False)
        if pa.types.is_uint64(kind):
            large = _array(filled)
            fits = large <= np.uint64(np.iinfo(np.int64).max)
            return np.where(fits, large, 0).astype(np.int64), fits
        return _array(pc.cast(filled, pa.int64())), np.ones(len(values), np.bool_)
    if pa.types.is_decimal(kind):
        return _whole_decimals(values)
    if not _is_number(kind):
        return _none_clean("int", len(values))
    column, finite = _floats(values)
    with np.errstate(invalid="ignore"):
        clean = finite & (np.floor(column) == column) & (np.abs(column) < INT64_LIMIT)
    return np.where(clean, column, 0).astype(np.int64), clean


def _whole_decimals(values: Any) -> tuple[FeatureColumn, Mask]:  # noqa: ANN401
    """Return decimals as integers, without the detour over float64, which rounds large ones."""
    floor = pc.floor(values)
    size = _array(pc.cast(pc.abs(values), pa.float64()))
    clean = _array(pc.fill_null(pc.equal(floor, values), False)) & (size < INT64_LIMIT)
    filled = pc.if_else(pa.array(clean), floor, pa.scalar(0, floor.type))
    return _array(pc.cast(filled, pa.int64())), clean


def _bools(values: Any) -> tuple[FeatureColumn, Mask]:  # noqa: ANN401
    if not pa.types.is_boolean(values.type):
        return _none_clean("bool", len(values))
    return _array(pc.fill_null(values, False)), np.ones(len(values), np.bool_)


def _texts(values: Any) -> tuple[FeatureColumn, Mask]:  # noqa: ANN401
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return _none_clean("string", len(values))
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    # Equal texts share one object, which is made once; the last one is the missing text.
    texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=np.object_)
    codes = _array(pc.fill_null(pc.cast(encoded.indices, pa.int64()), len(texts) - 1))
    return texts[codes], np.ones(len(values), np.bool_)


def _none_clean(kind: FeatureKind, size: int) -> tuple[FeatureColumn, Mask]:
    """Return a column whose values are all of a type that the schema refuses."""
    column = np.full(size, EMPTY[kind], np.object_ if kind == "string" else None)
    return column, np.zeros(size, np.bool_)


def _is_number(kind: Any) -> bool:  # noqa: ANN401 - a type of pyarrow
    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(test(kind) for test in tests)


def _whole(values: Any) -> Any:  # noqa: ANN401 - an array of pyarrow
    """Return the values of a chunked array as one array."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _array(values: Any) -> NDArray[Any]:  # noqa: ANN401
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found


_READERS: Mapping[FeatureKind, Callable[[Any], tuple[FeatureColumn, Mask]]] = MappingProxyType(
    {"float": _floats, "int": _ints, "bool": _bools, "string": _texts}
)
