"""The folder of an exported inference log: data files, and the offsets up to which they reach.

    day=2026-11-29/model=online/3-1000-1499.parquet    rows of offsets 1000 to 1499 of partition 3
    _commit.json                                       next offsets, and the files added last
    _staging/                                          files that are not committed yet
    _erasures.json                                     what `modstream log erase` has erased

Files and offsets are committed together: files are first written to `_staging`, then `_commit.json`
is replaced, which is the point of no return, and then the files are moved to their places. After a
crash, `recover` moves those that were committed, and removes the others. Readers of Parquet data
sets leave out names that begin with an underscore.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modstream.errors import LogFolderUnusable

NO_MODEL = "__HIVE_DEFAULT_PARTITION__"
"""The folder of rows without a model, as Hive names it; readers turn it into NULL."""
COMMIT, STAGING, ERASURES = "_commit.json", "_staging", "_erasures.json"
EXPORTER_LOCK, FILES_LOCK = "_exporter.lock", "_files.lock"


@dataclass(frozen=True, slots=True)
class LogCommit:
    """The state of an export: the topic, the next offset of each partition, the files added last.

    The paths of files are relative to the folder.
    """

    topic: str
    offsets: Mapping[int, int] = field(default_factory=dict)
    files: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the commit as a JSON document."""
        return {"topic": self.topic, "offsets": self.offsets, "files": list(self.files)}


@dataclass(frozen=True, slots=True)
class LogFolder:
    """A folder with the exported log of one stream. All methods but `data_files` need the lock."""

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the files as long as the context; wait for it if necessary.

        Files that a killed process has left behind are completed or removed first.

        Raises:
            LogFolderUnusable: the folder cannot be written.
        """
        with self.translated_errors():
            self.path.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self.path / FILES_LOCK, flags, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self.recover()
                yield
            finally:
                os.close(descriptor)

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate the errors of the file system."""
        try:
            yield
        except OSError as error:
            raise LogFolderUnusable(self.path, str(error)) from None

    def data_files(self, day: str = "*") -> list[Path]:
        """Return the data files of a day, or of all days, sorted."""
        return sorted(self.path.glob(f"day={day}/model=*/*.parquet"))

    def read_commit(self) -> LogCommit | None:
        """Return the last commit; None if there is none yet.

        Raises:
            LogFolderUnusable: it cannot be read.
        """
        try:
            found = json.loads((self.path / COMMIT).read_bytes())
            offsets = {int(number): int(offset) for number, offset in found["offsets"].items()}
            return LogCommit(str(found["topic"]), offsets, [str(one) for one in found["files"]])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogFolderUnusable(self.path, f"{COMMIT} cannot be read: {error!r}") from None

    def stage(self, name: str) -> Path:
        """Return where to write a new file before it is committed or replaces another one."""
        staged = self.path / STAGING / name
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    def commit(self, commit: LogCommit) -> None:
        """Add the staged files of a commit, and set the offsets; after a crash, both or neither."""
        for name in commit.files:
            sync(self.path / STAGING / name)
        write_atomically(self.path / COMMIT, json.dumps(commit.to_json()).encode())
        self._move(commit.files)

    def recover(self) -> None:
        """Move the files of the last commit that a killed process has not; remove the others."""
        staging = self.path / STAGING
        if not staging.exists():
            return
        commit = self.read_commit()
        if commit is not None:
            self._move([name for name in commit.files if (staging / name).exists()])
        shutil.rmtree(staging)

    def replace(self, file: Path, staged: Path | None) -> None:
        """Replace a data file by a staged one, or remove it."""
        if staged is None:
            file.unlink()
        else:
            sync(staged)
            staged.replace(file)
        sync(file.parent)

    def remove_day(self, day: str) -> None:
        """Remove the files of a day: all at once for readers, whatever ends this process."""
        self.stage("removed").mkdir(exist_ok=True)
        folder = self.path / f"day={day}"
        folder.replace(self.path / STAGING / "removed" / folder.name)
        sync(self.path)
        shutil.rmtree(self.path / STAGING)

    def _move(self, names: Sequence[str]) -> None:
        for name in names:
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.path / STAGING / name).replace(target)
        for parent in {(self.path / name).parent for name in names}:
            sync(parent)
            sync(parent.parent)


def data_file_name(partition: int, first: int, last: int, day: str, model: str | None) -> str:
    """Return the relative path of a file with rows of some offsets of a partition of the topic."""
    return f"day={day}/model={model or NO_MODEL}/{partition}-{first}-{last}.parquet"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file, so that it has the old or the new content after a crash."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(content)
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
