"""Parquet files of data sets. pyarrow, an extra, is loaded when it is needed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from modstream.datasets.errors import CatalogueUnusable, DataLibraryMissing
from modstream.models.datasets.columns import ColumnKind, DatasetColumn


def load_library(name: str, extra: str = "data") -> Any:  # noqa: ANN401 - a module
    """Import a library of an extra.

    Raises:
        DataLibraryMissing: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise DataLibraryMissing(error.name or name, extra) from None


@dataclass(frozen=True, slots=True)
class ParquetFiles:
    """Files with the same columns, whose rows follow each other."""

    paths: tuple[Path, ...]

    def schema(self) -> Any:  # noqa: ANN401 - of pyarrow
        """Return the `pyarrow.Schema` of the first file."""
        with _translated(self.paths[0]):
            return load_library("pyarrow.parquet").read_schema(self.paths[0]).remove_metadata()

    def read(self, columns: Sequence[str] | None = None) -> Any:  # noqa: ANN401 - of pyarrow
        """Return all rows as a `pyarrow.Table`."""
        arrow, parquet = load_library("pyarrow"), load_library("pyarrow.parquet")
        tables = []
        for path in self.paths:
            with _translated(path), parquet.ParquetFile(path) as file:
                tables.append(file.read(None if columns is None else list(columns)))
        return arrow.concat_tables(tables)

    def batches(self, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
        """Yield record batches of at most `rows` rows."""
        parquet = load_library("pyarrow.parquet")
        wanted = None if columns is None else list(columns)
        for path in self.paths:
            with _translated(path), parquet.ParquetFile(path) as file:
                yield from file.iter_batches(rows, columns=wanted)


def open_dataset(paths: Sequence[Path]) -> ParquetFiles:
    """Return Parquet files of one data set."""
    return ParquetFiles(tuple(paths))


def table_to_frame(table: Any) -> pd.DataFrame:  # noqa: ANN401 - of pyarrow
    """Return a `pyarrow.Table` as a data frame; missing values keep their column's kind."""
    arrow = load_library("pyarrow")
    nullable = {
        **dict.fromkeys((arrow.int8(), arrow.int16(), arrow.int32(), arrow.int64()), "Int64"),
        arrow.bool_(): "boolean",
    }
    frame: pd.DataFrame = table.to_pandas(integer_object_nulls=False)
    for field, column in zip(table.schema, table.columns, strict=True):
        if field.type in nullable and column.null_count:
            frame[field.name] = pd.array(column.to_pylist(), dtype=nullable[field.type])
    return frame


def columns_of(paths: Sequence[Path]) -> tuple[DatasetColumn, ...]:
    """Return the columns of files with their missing values; NaN counts as missing.

    Raises:
        CatalogueUnusable: a file cannot be read.
    """
    arrow, compute = load_library("pyarrow"), load_library("pyarrow.compute")
    parquet = load_library("pyarrow.parquet")
    schema = parquet.read_schema(paths[0])
    missing = dict.fromkeys(schema.names, 0)
    for batch in open_dataset(paths).batches(None, 65_536):
        for field, column in zip(batch.schema, batch.columns, strict=True):
            absent = column.null_count
            if arrow.types.is_floating(field.type):
                absent += compute.sum(compute.is_nan(column)).as_py() or 0
            missing[field.name] += absent
    return tuple(
        DatasetColumn(name=field.name, kind=kind_of(field.type), missing=missing[field.name])
        for field in schema
    )


def kind_of(arrow_type: Any) -> ColumnKind:  # noqa: ANN401 - a type of pyarrow
    """Return the kind of a type of pyarrow."""
    types = load_library("pyarrow").types
    if types.is_floating(arrow_type) or types.is_decimal(arrow_type):
        return "float"
    if types.is_integer(arrow_type):
        return "int"
    if types.is_boolean(arrow_type):
        return "bool"
    if types.is_string(arrow_type) or types.is_large_string(arrow_type):
        return "string"
    return "timestamp" if types.is_timestamp(arrow_type) or types.is_date(arrow_type) else "other"


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    arrow = load_library("pyarrow")
    try:
        yield
    except (arrow.ArrowException, OSError) as error:
        raise CatalogueUnusable(path, str(error)) from None
