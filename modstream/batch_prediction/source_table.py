"""The table that is predicted: Parquet or CSV files, read by DuckDB in batches of Arrow.

Only the columns that are needed are read, and only one batch of them is in memory. The features of
a CSV file are read as the kinds that the model takes, all other columns as texts.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from modstream.errors import UnusableSource
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import InputSchema

MEMORY, THREADS = "1GB", 2
"""What reading may use; it writes nothing to a disk."""
MAX_CELLS = 4_000_000
MIN_BATCH_ROWS, MAX_BATCH_ROWS = 1_000, 100_000
MAX_MESSAGE = 1_000
CSV_TYPES: Mapping[FeatureKind, str] = MappingProxyType(
    {"float": "DOUBLE", "int": "DECIMAL(38, 6)", "bool": "BOOLEAN", "string": "VARCHAR"}
)
"""The types of a CSV file's features; a whole number may be written as 3.0, and 3.5 is none."""
PARQUET, CSV = (".parquet", ".pq"), (".csv", ".tsv", ".csv.gz", ".tsv.gz")


@dataclass(frozen=True)
class SourceTable:
    """A table in one or more files of one format."""

    path: Path
    schema: InputSchema

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files: the path itself, or the Parquet files below it, sorted.

        Names that begin with `_` or `.` are left out, as readers of Parquet data sets do it.

        Raises:
            UnusableSource: there is no such file, or no Parquet file in the folder.
        """
        if not self.path.exists():
            raise UnusableSource(str(self.path), "there is no such file or folder")
        if not self.path.is_dir():
            return (str(self.path),)
        found = sorted(
            str(file)
            for suffix in PARQUET
            for file in self.path.rglob(f"*{suffix}")
            if not any(part[0] in "_." for part in file.relative_to(self.path).parts)
        )
        if not found:
            raise UnusableSource(str(self.path), "the folder has no Parquet file")
        return tuple(found)

    @property
    def is_csv(self) -> bool:
        """Whether the files are CSV; otherwise they are Parquet."""
        name = self.path.name.lower()
        if name.endswith(CSV):
            return True
        if self.path.is_dir() or name.endswith(PARQUET):
            return False
        raise UnusableSource(str(self.path), "give a Parquet or CSV file, or a folder of Parquet")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns.

        Raises:
            UnusableSource: the files cannot be read.
        """
        with self._connected() as connection:
            return tuple(connection.sql(f"SELECT * FROM {self._scan()}").columns)  # noqa: S608

    def require(self, wanted: Sequence[str]) -> None:
        """Raise if the table lacks a column that is kept, or a feature that may not be missing.

        Raises:
            UnusableSource: it does.
        """
        needed = [one.name for one in self.schema.features if not one.missing]
        missing = [name for name in (*wanted, *needed) if name not in self.columns]
        if missing:
            raise UnusableSource(
                str(self.path),
                f"it has no column {', '.join(missing[:10])}; its columns are"
                f" {', '.join(self.columns[:30])}",
            )

    def count_rows(self) -> int | None:
        """Return the number of rows; None for CSV files, which would have to be read for it."""
        if self.is_csv:
            return None
        with self._connected() as connection:
            ((count,),) = connection.sql(f"SELECT count(*) FROM {self._scan()}").fetchall()  # noqa: S608
            return int(count)

    def read(
        self, kept: Sequence[str], batch_rows: int | None = None
    ) -> Generator[Any, None, None]:
        """Yield record batches with the kept columns and all features, in the order of the files.

        The first batch has no rows. A feature that the table does not have is null.

        Raises:
            UnusableSource: the files cannot be read.
        """
        names = dict.fromkeys((*kept, *self.schema.names))
        known = set(self.columns)
        cells = ", ".join(
            _quoted(one) if one in known else f"NULL AS {_quoted(one)}" for one in names
        )
        with self._connected() as connection:
            rows = connection.sql(f"SELECT {cells} FROM {self._typed_scan(kept)}")  # noqa: S608
            with rows.to_arrow_reader(batch_rows or self.batch_rows) as reader:
                yield pa.RecordBatch.from_pylist([], schema=reader.schema)
                yield from reader

    @property
    def batch_rows(self) -> int:
        """The number of rows of a batch; fewer for tables with many columns."""
        fitting = MAX_CELLS // max(1, len(self.schema.features))
        return max(MIN_BATCH_ROWS, min(MAX_BATCH_ROWS, fitting))

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            with duckdb.connect(":memory:") as connection:
                connection.execute(f"SET memory_limit = '{MEMORY}'")
                connection.execute(f"SET threads = {THREADS}")
                connection.execute("SET temp_directory = ''")
                connection.execute("SET autoinstall_known_extensions = false")
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as error:
            reason = str(error)[:MAX_MESSAGE].strip()
            raise UnusableSource(str(self.path), reason) from None

    def _scan(self, options: str = "") -> str:
        """Return the table function that reads the files."""
        files = f"[{', '.join(map(_text, self.files))}]"
        if self.is_csv:
            return f"read_csv({files}, header = true{options})"
        return f"read_parquet({files}, union_by_name = true)"

    def _typed_scan(self, kept: Sequence[str]) -> str:
        """Return the table function with the types of a CSV file's columns."""
        features = [one for one in self.schema.features if one.name in self.columns]
        types = dict.fromkeys(kept, "VARCHAR") | {one.name: CSV_TYPES[one.kind] for one in features}
        if not self.is_csv or not types:
            return self._scan()
        pairs = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in types.items())
        # An empty text is a text, unless the feature may be missing.
        full = [_text(one.name) for one in features if one.kind == "string" and not one.missing]
        not_null = f", force_not_null = [{', '.join(full)}]" if full else ""
        return self._scan(f", types = {{{pairs}}}{not_null}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
