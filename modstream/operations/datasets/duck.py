"""DuckDB in this process, as data sets use it. duckdb, an extra, is loaded when it is needed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modstream.datasets.errors import SourceUnusable
from modstream.datasets.parquet import load_library

THREADS, MEMORY = 2, "2GB"
WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
LARGE_WHOLE = frozenset({"UBIGINT", "HUGEINT", "UHUGEINT"})
TEXTS = frozenset({"UUID", "TIME", "TIME_NS", "TIME WITH TIME ZONE", "INTERVAL", "BIT"})
NESTED = ("STRUCT", "MAP", "UNION", "JSON", "VARIANT")
MAX_REASON = 500


@contextmanager
def open_duck(source: str, folder: Path) -> Iterator[Any]:
    """Yield a connection of DuckDB that keeps the order of rows, and loads no extensions.

    Args:
        source: what is read, for errors.
        folder: where rows are kept that have no room in memory.

    Raises:
        SourceUnusable: a statement fails.
        DataLibraryMissing: duckdb is not installed.
    """
    duckdb, spill = load_library("duckdb"), folder / "_duckdb"
    with duckdb.connect(":memory:") as connection:
        try:
            for setting in (
                f"threads = {THREADS}",
                f"memory_limit = '{MEMORY}'",
                f"temp_directory = {quoted(str(spill))}",
                "TimeZone = 'UTC'",
                "autoinstall_known_extensions = false",
                "autoload_known_extensions = false",
            ):
                connection.execute(f"SET {setting}")
            yield connection
        except duckdb.Error as error:
            raise SourceUnusable(source, reason_of(error)) from None
        finally:
            shutil.rmtree(spill, ignore_errors=True)


def normalised(connection: Any, relation: str) -> str:  # noqa: ANN401 - of duckdb
    """Return a query of a relation in the types of data sets.

    Whole numbers become int64, other numbers float64, nested values texts of JSON.
    """
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608 - quoted
    return f"SELECT {', '.join(_cast(row[0], row[1]) for row in described)} FROM {relation}"  # noqa: S608 - quoted


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def named(name: str) -> str:
    """Return the name of a column as SQL."""
    return '"' + name.replace('"', '""') + '"'


def reason_of(error: Exception) -> str:
    """Return the first lines of an error of DuckDB, without the advice for its own options."""
    text = str(error)
    for mark in ("\nPossible fixes", "\n\nLINE ", "\n\n  file = "):
        text = text.partition(mark)[0]
    return " ".join(text.split())[:MAX_REASON]


def _cast(name: str, kind: str) -> str:
    column = named(name)
    if kind in WHOLE or kind in LARGE_WHOLE:
        return f"CAST({column} AS BIGINT) AS {column}"
    if kind == "FLOAT" or kind.startswith("DECIMAL"):
        return f"CAST({column} AS DOUBLE) AS {column}"
    if kind.endswith("]") or kind.startswith(NESTED):
        return f"CAST(to_json({column}) AS VARCHAR) AS {column}"
    if kind in TEXTS or kind.startswith("ENUM"):
        return f"CAST({column} AS VARCHAR) AS {column}"
    return column
