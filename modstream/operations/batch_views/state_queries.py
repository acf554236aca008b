"""The queries of a view, run by DuckDB on tables of Arrow or on the exported log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modstream.errors import ViewUnusable
from modstream.operations.batch_views.definition import ViewDefinition
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.inference_log.log_query import (
    MEMORY,
    VIEW,
    failure_reason,
    restrict_to_folder,
)
from modstream.operations.inference_log.log_rows import COLUMNS
from modstream.operations.inference_log.parquet_files import REMEDY

TIMES = tuple(name for name, kind in COLUMNS.items() if kind == "time")


class StateQueries:
    """Runs the queries of a definition; `name` is that of the view, for errors."""

    def __init__(self, name: str, definition: ViewDefinition) -> None:
        self._name = name
        self._definition = definition

    def of_log(self, folder: LogFolder) -> Any:  # noqa: ANN401 - a table of pyarrow
        """Return the states of all rows of an exported log.

        Raises:
            ViewUnusable: the definition cannot be computed on them.
        """
        with self._connected() as connection:
            restrict_to_folder(connection, folder)
            return self._run(connection, self._definition.states_of_rows(VIEW))

    def of_rows(self, rows: Any) -> Any:  # noqa: ANN401 - tables of pyarrow
        """Return the states of a table of log rows.

        Raises:
            ViewUnusable: the definition cannot be computed on them.
        """
        with self._connected() as connection:
            connection.register("log_rows", rows)
            times = ", ".join(f"{name}::TIMESTAMP AS {name}" for name in TIMES)
            # The files have these types of times, too.
            connection.execute(f"CREATE VIEW {VIEW} AS SELECT * REPLACE ({times}) FROM log_rows")  # noqa: S608
            _close(connection)
            return self._run(connection, self._definition.states_of_rows(VIEW))

    def merge(self, first: Any, second: Any) -> Any:  # noqa: ANN401 - tables of pyarrow
        """Return the states of two tables of states as one."""
        with self._connected() as connection:
            connection.register("first", first)
            connection.register("second", second)
            _close(connection)
            return self._run(connection, self._definition.merged_states("first", "second"))

    def values(self, states: Any) -> Any:  # noqa: ANN401 - tables of pyarrow
        """Return the figures of a table of states."""
        with self._connected() as connection:
            connection.register("states", states)
            _close(connection)
            return self._run(connection, self._definition.values("states"))

    def _run(self, connection: Any, sql: str) -> Any:  # noqa: ANN401
        """Return the rows of a query, which must be a single SELECT statement."""
        statements = connection.extract_statements(sql)
        if [str(one.type).rpartition(".")[2] for one in statements] != ["SELECT"]:
            raise ViewUnusable(self._name, "its expressions must be expressions of SQL")
        return connection.sql(sql).to_arrow_table()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            import duckdb  # noqa: PLC0415 - an extra
        except ImportError:
            raise ViewUnusable(self._name, REMEDY) from None
        try:
            with duckdb.connect(":memory:") as connection:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute(f"SET memory_limit = '{MEMORY}'")
                yield connection
        except duckdb.Error as error:
            raise ViewUnusable(self._name, failure_reason(error)) from None


def _close(connection: Any) -> None:  # noqa: ANN401 - a connection of duckdb
    """Permit a connection nothing outside of its tables."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
