"""A version of a data set: its files, columns, origin and seal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from modstream.datasets.parquet import open_dataset, table_to_frame
from modstream.models.datasets.columns import DatasetColumn

Access = Literal["private", "internal", "public"]
"""Who may read a data set, as a statement for people: modstream does not enforce it."""
Form = Literal["parquet", "delta"]
"""How the versions of a data set are kept: each in its folder, or all in a Delta table."""
BATCH_ROWS = 65_536


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetFile(_Part):
    """A Parquet file of a version; its name is relative to the version's folder."""

    name: str
    rows: int
    size: int
    """Bytes."""
    sha256: str


class Parent(_Part):
    """The version from which a data set was made."""

    name: str
    version: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Provenance(_Part):
    """Where the rows of a version come from, and what was done with them."""

    operation: str
    """`ingest`, `split` or `wrangle`."""
    source: str
    """A path, a URL without password, a topic, or the parent."""
    source_sha256: str | None = None
    """The hash of the original file; None for sources that are no file."""
    offsets: Mapping[int, int] | None = None
    """The next offset of each partition of a topic."""
    details: Mapping[str, Any] = Field(default_factory=dict)
    """Parameters of the operation, such as steps or the border of a split."""


class DatasetFacts(_Part):
    """What the catalogue knows of a version."""

    name: str
    version: int
    created: str
    """ISO 8601, UTC."""
    rows: int
    columns: tuple[DatasetColumn, ...]
    files: tuple[DatasetFile, ...]
    sha256: str
    """Of the list of the files' hashes and names, as `sha256sum` prints it."""
    provenance: Provenance
    parent: Parent | None = None
    label: str | None = None
    time_column: str | None = None
    description: str = ""
    access: Access = "private"
    license: str | None = None
    form: Form = "parquet"
    sealed: bool = False
    """Whether it is a test set that is opened only with a reason."""


class DataSet:
    """A version whose rows may be read. `folder` has its files and `croissant.json`."""

    def __init__(self, folder: Path, facts: DatasetFacts) -> None:
        self.folder = folder
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.facts.name}@{self.facts.version}"

    @property
    def name(self) -> str:
        """The name without version."""
        return self.facts.name

    @property
    def version(self) -> int:
        """The number of the version, from 1."""
        return self.facts.version

    @property
    def paths(self) -> tuple[Path, ...]:
        """The Parquet files, in the order of their rows."""
        return tuple(self.folder / file.name for file in self.facts.files)

    @property
    def columns(self) -> tuple[DatasetColumn, ...]:
        """The columns with their kinds, in order."""
        return self.facts.columns

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.facts.rows

    @property
    def sha256(self) -> str:
        """The hash of all files together."""
        return self.facts.sha256

    @property
    def label(self) -> str | None:
        """The column that a model is to predict, if it is known."""
        return self.facts.label

    @property
    def time_column(self) -> str | None:
        """The column with the time of each row, if there is one."""
        return self.facts.time_column

    @property
    def parent(self) -> Parent | None:
        """The version from which this one was made."""
        return self.facts.parent

    def arrow_schema(self) -> Any:  # noqa: ANN401 - of pyarrow
        """Return the columns as a `pyarrow.Schema`.

        Raises:
            DataLibraryMissing: pyarrow is not installed.
            CatalogueUnusable: a file cannot be read.
        """
        return open_dataset(self.paths).schema()

    def read_table(self, columns: Sequence[str] | None = None) -> Any:  # noqa: ANN401 - of pyarrow
        """Return all rows, or some columns of them, as a `pyarrow.Table`.

        Raises:
            DataLibraryMissing: pyarrow is not installed.
            CatalogueUnusable: a file cannot be read.
        """
        return open_dataset(self.paths).read(columns)

    def read_frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all rows, or some columns of them, as a data frame.

        Integers with missing values are `Int64`, bools with missing values `boolean`, texts `str`.

        Raises:
            DataLibraryMissing: pyarrow is not installed.
            CatalogueUnusable: a file cannot be read.
        """
        return table_to_frame(self.read_table(columns))

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
    ) -> Iterator[Any]:
        """Yield the rows in order as `pyarrow.RecordBatch` of at most `rows` rows.

        Raises:
            DataLibraryMissing: pyarrow is not installed.
            CatalogueUnusable: a file cannot be read.
        """
        yield from open_dataset(self.paths).batches(columns, rows)
