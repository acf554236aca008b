"""Columns of pyarrow as values of wrangling steps, and back."""

from typing import Any

import numpy as np
import numpy.typing as npt

from modstream.datasets.parquet import kind_of, load_library
from modstream.models.datasets.columns import ColumnKind
from modstream.processors.pipeline.values import Value, either
from modstream.processors.wrangle.table import Kinds, WrangleTable
from modstream.processors.wrangle.wrangler import INPUT

NOT_FINITE = "{} must be a finite number"


def to_table(batch: Any, first: int) -> WrangleTable:  # noqa: ANN401 - of pyarrow
    """Return a record batch as the table of wrangling steps; `first` numbers its first row.

    Rows with an infinite number have failed, as they do in a stream.
    """
    columns = {
        field.name: _to_value(column, kind_of(field.type))
        for field, column in zip(batch.schema, batch.columns, strict=True)
    }
    table = WrangleTable(columns, np.arange(first, first + batch.num_rows))
    for name in list(columns):
        value = table.columns[name]
        if value.data.dtype.kind == "f" and (infinite := np.isinf(value.data)).any():
            table.fail(infinite, INPUT, NOT_FINITE.format(name))
    return table


def to_batch(table: WrangleTable, schema: Any) -> Any:  # noqa: ANN401 - of pyarrow
    """Return a table as a record batch of a `pyarrow.Schema`."""
    arrow = load_library("pyarrow")
    columns = [
        _to_array(table.columns[field.name].expand(table.size), field.type) for field in schema
    ]
    return arrow.record_batch(columns, schema=schema)


def schema_of(kinds: Kinds, before: Any) -> Any:  # noqa: ANN401 - of pyarrow
    """Return the `pyarrow.Schema` of columns; those without computable kind keep their type."""
    arrow = load_library("pyarrow")
    types = {
        "float": arrow.float64(),
        "int": arrow.int64(),
        "bool": arrow.bool_(),
        "string": arrow.string(),
    }
    return arrow.schema([(name, types.get(kind, before.get(name))) for name, kind in kinds.items()])


def _to_value(column: Any, kind: ColumnKind) -> Value:  # noqa: ANN401 - of pyarrow
    arrow, compute = load_library("pyarrow"), load_library("pyarrow.compute")
    missing = _mask(column.is_null())
    if kind == "float":
        data = np.asarray(column.cast(arrow.float64()).to_numpy(zero_copy_only=False))
        return Value(data, either(missing, _any(np.isnan(data))))
    if kind == "int":
        filled = compute.fill_null(column.cast(arrow.int64()), 0)
        return Value(filled.to_numpy(zero_copy_only=False), missing)
    if kind == "bool":
        filled = compute.fill_null(column, arrow.scalar(value=False))
        return Value(filled.to_numpy(zero_copy_only=False), missing)
    data = np.empty(len(column), object)
    data[:] = column.to_pylist()
    return Value(data, missing)


def _to_array(value: Value, type_: Any) -> Any:  # noqa: ANN401 - of pyarrow
    return load_library("pyarrow").array(value.data, type_, mask=value.missing)


def _mask(column: Any) -> npt.NDArray[np.bool_] | None:  # noqa: ANN401 - of pyarrow
    return _any(np.asarray(column.to_numpy(zero_copy_only=False), np.bool_))


def _any(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    return mask if mask.any() else None
