"""Parquet files of the exported inference log. pyarrow, an extra, is loaded when it is needed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cache, reduce
from pathlib import Path
from typing import Any

from modstream.errors import LogFolderUnusable
from modstream.operations.inference_log.log_rows import COLUMNS, LogRow

REMEDY = "install the libraries of the log with: pip install 'modstream[log]'"


def write_rows(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows, with cells in the order of `COLUMNS`, to a new file.

    Raises:
        LogFolderUnusable: pyarrow is not installed.
    """
    _, parquet = _libraries(path)
    parquet.write_table(_table(rows), path, compression="zstd")


def log_table(rows: Sequence[LogRow]) -> Any:  # noqa: ANN401 - a table of pyarrow
    """Return rows as a table of Arrow with the columns of a query: `day`, `model`, `COLUMNS`.

    Raises:
        LogFolderUnusable: pyarrow is not installed.
    """
    arrow, _ = _libraries(Path())
    days = arrow.array([date.fromisoformat(row.day) for row in rows], arrow.date32())
    models = arrow.array([row.model for row in rows], arrow.string())
    table = _table([row.cells for row in rows])
    return table.add_column(0, "day", days).add_column(1, "model", models)


def count_rows(path: Path) -> int:
    """Return the number of rows of a file, from its metadata.

    Raises:
        LogFolderUnusable: it cannot be read, or pyarrow is not installed.
    """
    arrow, parquet = _libraries(path)
    try:
        return int(parquet.read_metadata(path).num_rows)
    except arrow.ArrowException as error:
        raise LogFolderUnusable(path, str(error)) from None


def copy_without(
    path: Path, wanted: Mapping[str, Collection[str]], target: Path
) -> tuple[int, int]:
    """Copy the rows of a file to another one, except those with some values.

    The target is written only if some rows are left out, and others remain.

    Args:
        path: the file to read.
        wanted: for each column of texts, the values of the rows to leave out.
        target: the file to write.

    Returns:
        How many rows are left out, and how many remain.

    Raises:
        LogFolderUnusable: the file cannot be read, or pyarrow is not installed.
    """
    arrow, parquet = _libraries(path)
    try:
        with parquet.ParquetFile(path) as file:
            found = file.read(list(wanted))
            matches = [
                arrow.compute.is_in(found[column], arrow.array(sorted(values), arrow.string()))
                for column, values in wanted.items()
            ]
            is_left_out = reduce(arrow.compute.or_, matches)
            left_out = arrow.compute.sum(is_left_out).as_py() or 0
            remaining = found.num_rows - left_out
            if left_out and remaining:
                kept = file.read().filter(arrow.compute.invert(is_left_out))
                parquet.write_table(kept, target, compression="zstd")
    except arrow.ArrowException as error:
        raise LogFolderUnusable(path, str(error)) from None
    return left_out, remaining


def _libraries(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.compute  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise LogFolderUnusable(path, REMEDY) from None
    return pa, parquet


def _table(rows: Sequence[tuple[Any, ...]]) -> Any:  # noqa: ANN401 - a table of pyarrow
    arrow, _ = _libraries(Path())
    schema = _schema()
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [
        arrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)
    ]
    return arrow.table(arrays, schema=schema)


@cache
def _schema() -> Any:  # noqa: ANN401 - a schema of pyarrow
    arrow, _ = _libraries(Path())
    types = {
        "string": arrow.string(),
        "int32": arrow.int32(),
        "int64": arrow.int64(),
        "double": arrow.float64(),
        "time": arrow.timestamp("ms"),
    }
    return arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
