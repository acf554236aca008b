"""A version of a data set while it is being written."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modstream.datasets.dataset import (
    Access,
    DataSet,
    DatasetFacts,
    DatasetFile,
    Form,
    Parent,
    Provenance,
)
from modstream.datasets.errors import CatalogueUnusable
from modstream.datasets.files import hash_file, hash_of_files, make_immutable
from modstream.datasets.parquet import columns_of, load_library


@dataclass(frozen=True, slots=True)
class Description:
    """What the maker of a version says about it."""

    provenance: Provenance
    parent: Parent | None = None
    label: str | None = None
    time_column: str | None = None
    description: str = ""
    access: Access = "private"
    license: str | None = None
    sealed: bool = False


@dataclass(slots=True)
class StagedVersion:
    """The files of a new version. They are in `folder` until `commit` adds the version."""

    folder: Path
    name: str
    version: int
    add: Callable[[Path, DatasetFacts], DataSet]
    known: list[DatasetFile] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    first_number: int = 0
    form: Form = "parquet"

    def new_file(self) -> Path:
        """Return where to write the next Parquet file."""
        number = self.first_number + len(self.known) + len(self.written)
        # All versions of a Delta table are in one folder.
        stem = "part" if self.form == "parquet" else f"version-{self.version}-part"
        self.written.append(f"{stem}-{number}.parquet")
        return self.folder / self.written[-1]

    def keep_files(self, earlier: DataSet) -> None:
        """Begin with the files of an earlier version; where links exist, they take no space."""
        for file in earlier.facts.files:
            try:
                os.link(earlier.folder / file.name, self.folder / file.name)
            except OSError:  # The file system has no hard links.
                shutil.copy2(earlier.folder / file.name, self.folder / file.name)
            self.known.append(file)

    def take_files(self) -> list[Path]:
        """Return the paths of all files so far, which the next file replaces.

        The caller removes them when it has read them.
        """
        found = self.paths
        self.first_number += len(found)
        self.known.clear()
        self.written.clear()
        return found

    @property
    def paths(self) -> list[Path]:
        """The paths of all files so far."""
        names = [*(file.name for file in self.known), *self.written]
        return [self.folder / name for name in names]

    def write_table(self, table: Any) -> None:  # noqa: ANN401 - of pyarrow
        """Write a `pyarrow.Table` as the next file."""
        parquet = load_library("pyarrow.parquet")
        parquet.write_table(table, self.new_file(), compression="zstd")

    def write_batches(self, schema: Any, batches: Iterable[Any]) -> int:  # noqa: ANN401 - of pyarrow
        """Write record batches of a `pyarrow.Schema` as the next file; return their rows."""
        parquet, rows = load_library("pyarrow.parquet"), 0
        with parquet.ParquetWriter(self.new_file(), schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows

    def commit(self, description: Description) -> DataSet:
        """Add the version to the catalogue.

        Raises:
            CatalogueUnusable: the files have no columns, or a column that is named does not exist.
        """
        files = [*self.known, *map(self._finish, self.written)]
        columns = columns_of([self.folder / file.name for file in files])
        names = [column.name for column in columns]
        for wanted in (description.label, description.time_column):
            if wanted is not None and wanted not in names:
                raise CatalogueUnusable(
                    Path(self.name), f"it has no column {wanted}: it has {', '.join(names)}"
                )
        facts = DatasetFacts(
            name=self.name,
            version=self.version,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=sum(file.rows for file in files),
            columns=columns,
            files=tuple(files),
            sha256=hash_of_files(files),
            provenance=description.provenance,
            parent=description.parent,
            label=description.label,
            time_column=description.time_column,
            description=description.description,
            access=description.access,
            license=description.license,
            form=self.form,
            sealed=description.sealed,
        )
        return self.add(self.folder, facts)

    def _finish(self, name: str) -> DatasetFile:
        path = self.folder / name
        rows = load_library("pyarrow.parquet").read_metadata(path).num_rows
        make_immutable(path)
        return DatasetFile(name=name, rows=rows, size=path.stat().st_size, sha256=hash_file(path))


def parent_of(dataset: DataSet | DatasetFacts) -> Parent:
    """Return how a data set that is made from a version names it."""
    facts = dataset.facts if isinstance(dataset, DataSet) else dataset
    return Parent(name=facts.name, version=facts.version, sha256=facts.sha256)
