"""SQL queries of an exported inference log, by DuckDB in this process.

A query is one SELECT statement, which sees the view `inferences` and no file outside of the folder.
duckdb, an extra, is loaded when it is needed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from typing import Any

from modstream.errors import LogFolderUnusable, LogQueryFailed
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.inference_log.parquet_files import REMEDY

VIEW = "inferences"
MEMORY = "1GB"
"""How much memory a query may use; it writes nothing to a disk."""
FETCHED_ROWS = 1_000
MAX_MESSAGE = 1_000


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The columns of a result, and its rows in parts, which are read as they are needed."""

    columns: tuple[str, ...]
    parts: Iterator[Sequence[tuple[Any, ...]]]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows.

        Raises:
            LogQueryFailed: the query fails.
        """
        for part in self.parts:
            yield from part


@contextmanager
def open_query(folder: LogFolder, sql: str) -> Iterator[QueryResult]:
    """Run a query, and yield its result.

    Raises:
        LogFolderUnusable: the folder has no data files, or duckdb is not installed.
        LogQueryFailed: the statement is not a SELECT, or fails.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError:
        raise LogFolderUnusable(folder.path, REMEDY) from None
    if not folder.data_files():
        raise LogFolderUnusable(
            folder.path, "it has no data yet: `modstream log export` writes them"
        )
    with duckdb.connect(":memory:") as connection:
        try:
            restrict_to_folder(connection, folder)
            statements = connection.extract_statements(sql)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise LogQueryFailed(f"only one SELECT statement of the view {VIEW} is permitted")
            result = connection.execute(statements[0])
            columns = tuple(str(column[0]) for column in result.description or ())
            yield QueryResult(columns, _parts(result, duckdb.Error))
        except duckdb.Error as error:
            raise LogQueryFailed(failure_reason(error)) from None


def restrict_to_folder(connection: Any, folder: LogFolder) -> None:  # noqa: ANN401 - a connection of duckdb
    """Create the view, and permit the connection nothing but to read the folder."""
    path = str(folder.path.resolve())
    connection.execute(f"SET memory_limit = '{MEMORY}'")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET allowed_directories = ?", [[path, escape(path)]])
    files = _quoted(f"{escape(path)}/day=*/model=*/*.parquet")
    types = "{'day': DATE, 'model': VARCHAR}"
    connection.execute(
        f"CREATE VIEW {VIEW} AS SELECT day, model, * EXCLUDE (day, model) FROM"  # noqa: S608 - quoted
        f" read_parquet({files}, hive_partitioning = true, hive_types = {types})"
    )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _parts(result: Any, error: type[Exception]) -> Iterator[Sequence[tuple[Any, ...]]]:  # noqa: ANN401
    try:
        while part := result.fetchmany(FETCHED_ROWS):
            yield part
    except error as failure:
        raise LogQueryFailed(failure_reason(failure)) from None


def failure_reason(error: Exception) -> str:
    """Return why a query failed, in one bounded text."""
    if type(error).__name__ == "OutOfMemoryException":
        return f"it needs more than {MEMORY} of memory; group, limit or filter the rows"
    return str(error)[:MAX_MESSAGE].strip()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
