"""The catalogue: a folder with one folder for each data set, and in it one for each version.

    flights/1/part-0.parquet      the rows; read-only
    flights/1/croissant.json      what is known of them
    flights-test/openings.jsonl   who opened a sealed test set, when and why
    _staging/                     versions that are being written
    _locks/                       one for each data set that is written

A version is written to `_staging` and moved to its place when it is complete: it exists as a whole
or not at all. It is never changed. The versions of a data set may also be commits of a Delta table
(`delta.py`); its folder is then the table.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modstream.datasets.croissant import METADATA, read_facts, write_metadata
from modstream.datasets.dataset import DataSet, DatasetFacts, Form
from modstream.datasets.delta import (
    commit_version,
    delta_versions,
    is_delta,
    read_delta_facts,
)
from modstream.datasets.errors import CatalogueUnusable, DatasetSealed
from modstream.datasets.files import check_files, sync_folder
from modstream.datasets.seal import Opening, record_opening
from modstream.datasets.staged_version import StagedVersion
from modstream.errors import UnknownName
from modstream.locks import hold_lock

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
STAGING, LOCKS = "_staging", "_locks"
REMEDY = "`modstream data list` lists the data sets, `modstream data ingest` adds one"


class Catalogue:
    """The data sets in a folder. `flights@2` names a version, `flights` the newest one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all data sets, sorted."""
        with _translated(self.folder):
            found = self.folder.iterdir() if self.folder.is_dir() else ()
            names = [one.name for one in found if NAME.fullmatch(one.name)]
        return sorted(name for name in names if self.versions(name))

    def versions(self, name: str) -> list[int]:
        """Return the versions of a data set, ascending; none if it does not exist."""
        folder = self.folder / name
        if is_delta(folder):
            return delta_versions(folder)
        with _translated(folder):
            found = [one.parent.name for one in folder.glob(f"*/{METADATA}")]
        return sorted(int(number) for number in found if number.isdecimal())

    def describe(self, name: str) -> DatasetFacts:
        """Return what is known of a version, also of a sealed one, without reading its rows.

        Raises:
            UnknownName: there is no such data set or version.
            CatalogueUnusable: its description cannot be read.
        """
        return self._facts(name)[1]

    def form(self, name: str) -> Form | None:
        """Return how the versions of a data set are kept; None if it has none."""
        if not self.versions(name):
            return None
        return "delta" if is_delta(self.folder / name) else "parquet"

    def check(self, name: str) -> None:
        """Raise unless the files of a version, also of a sealed one, are those that were written.

        Raises:
            UnknownName: there is no such data set or version.
            DatasetChanged: a file is missing or has changed.
            CatalogueUnusable: it cannot be read.
        """
        check_files(*self._facts(name))

    def open(self, name: str, *, verify: bool = True) -> DataSet:
        """Return a version whose rows may be read.

        Args:
            name: the data set, or one of its versions.
            verify: whether the files are compared with their recorded hashes.

        Raises:
            UnknownName: there is no such data set or version.
            DatasetSealed: it is a sealed test set.
            DatasetChanged: a file is missing or has changed.
            CatalogueUnusable: it cannot be read.
        """
        folder, facts = self._facts(name)
        found = DataSet(folder, facts)
        if facts.sealed:
            raise DatasetSealed(str(found))
        if verify:
            check_files(folder, facts)
        return found

    def open_sealed(self, name: str, reason: str, who: str | None = None) -> DataSet:
        """Return a sealed test set, after the opening has been recorded.

        Args:
            name: the data set, or one of its versions.
            reason: why it is opened; kept for good.
            who: the person or program; by default the user of this process.

        Raises:
            UnknownName: there is no such data set or version.
            DatasetChanged: a file is missing or has changed: it is not the sealed one.
            CatalogueUnusable: it cannot be read, or the opening cannot be recorded.
        """
        folder, facts = self._facts(name)
        check_files(folder, facts)
        record_opening(self.folder / facts.name, facts, reason, who)
        return DataSet(folder, facts)

    def openings(self, name: str) -> list[Opening]:
        """Return the recorded openings of a data set's versions, oldest first.

        Raises:
            UnknownName: there is no such data set.
            CatalogueUnusable: they cannot be read.
        """
        plain, _ = self._find(name)
        return Opening.read_all(self.folder / plain)

    @contextmanager
    def create(self, name: str, form: Form | None = None) -> Iterator[StagedVersion]:
        """Yield a new version to be written; `commit` adds it, otherwise nothing remains of it.

        By default it is kept as the earlier versions are, or else as files of Parquet.

        Raises:
            LockHeld: another process writes a version of this data set.
            CatalogueUnusable: the name is none, the folder cannot be written, or the earlier
                versions are kept in another form.
        """
        if not NAME.fullmatch(name):
            raise CatalogueUnusable(
                self.folder / name[:100], "a name has at most 100 letters, digits and . _ -"
            )
        staging = self.folder / STAGING / name
        with _translated(self.folder), hold_lock(self.folder / LOCKS / f"{name}.lock"):
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            present = self.form(name)
            if form is not None and present not in {None, form}:
                raise CatalogueUnusable(
                    self.folder / name,
                    f"it has versions of the form {present}: choose another name",
                )
            chosen = form or present or "parquet"
            add = self._add_to_delta if chosen == "delta" else self._add
            staged = StagedVersion(staging, name, self._next_version(name), add, form=chosen)
            try:
                yield staged
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _add(self, staging: Path, facts: DatasetFacts) -> DataSet:
        """Move a complete version to its place: from then on it exists."""
        write_metadata(staging, facts)
        folder = self.folder / facts.name / str(facts.version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(staging)
        staging.rename(folder)
        sync_folder(folder.parent)
        return DataSet(folder, facts)

    def _add_to_delta(self, staging: Path, facts: DatasetFacts) -> DataSet:
        """Commit a complete version to its table: from then on it exists."""
        return commit_version(staging, self.folder / facts.name, facts)

    def _next_version(self, name: str) -> int:
        return max(self.versions(name), default=0) + 1

    def _facts(self, name: str) -> tuple[Path, DatasetFacts]:
        """Return the folder with the files of a version, and what is known of it."""
        plain, version = self._find(name)
        folder = self.folder / plain
        if is_delta(folder):
            return folder, read_delta_facts(folder, version)
        return folder / str(version), read_facts(folder / str(version))

    def _find(self, name: str) -> tuple[str, int]:
        """Return the name of a data set, and the version that is meant."""
        plain, _, number = name.partition("@")
        versions = self.versions(plain) if NAME.fullmatch(plain) else []
        if not versions:
            raise UnknownName("data set", plain, self.names(), REMEDY)
        if number and (not number.isdecimal() or int(number) not in versions):
            raise UnknownName(f"version of {plain}", number, map(str, versions))
        return plain, int(number or versions[-1])


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CatalogueUnusable(path, error.strerror or str(error)) from None
