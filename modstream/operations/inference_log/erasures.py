"""Erasure of the rows of one person, and expiry of whole days, in an exported inference log.

A file is rewritten without the rows, and replaces the old one atomically. The erased keys and ids
are remembered as digests, so that an export leaves out their records that are still in the topic.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from modstream.errors import LogFolderUnusable
from modstream.operations.inference_log.log_folder import ERASURES, LogFolder, write_atomically
from modstream.operations.inference_log.parquet_files import copy_without, count_rows


class ChangedFile(NamedTuple):
    """A file that was changed or removed: its relative path, and the rows removed and kept."""

    file: str
    removed: int
    kept: int


@dataclass(frozen=True, slots=True)
class Erasures:
    """What was erased: the time (ms since the epoch) by the column and the digest of the value."""

    times: dict[str, int]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the erasures of a folder.

        Raises:
            LogFolderUnusable: they cannot be read.
        """
        try:
            found = json.loads((folder / ERASURES).read_bytes())
            return cls({str(digest): int(time) for digest, time in found.items()})
        except FileNotFoundError:
            return cls({})
        except (ValueError, AttributeError, TypeError) as error:
            raise LogFolderUnusable(folder, f"{ERASURES} cannot be read: {error!r}") from None

    def add(self, folder: Path, wanted: Mapping[str, Collection[str]], now_ms: int) -> None:
        """Add erased values by column, and write all erasures to a folder."""
        for column, values in wanted.items():
            self.times.update((digest(column, value), now_ms) for value in values)
        write_atomically(folder / ERASURES, json.dumps(self.times).encode())

    def include(self, request_id: str | None, key: str | None, answered_ms: int) -> bool:
        """Return whether a row has been erased: one that was answered later has not."""
        if not self.times:
            return False
        named = (("id", request_id), ("key", key))
        times = (self.times.get(digest(*one), -1) for one in named if one[1] is not None)
        return any(answered_ms <= time for time in times)


def erase(
    folder: LogFolder, wanted: Mapping[str, Collection[str]], now_ms: int
) -> list[ChangedFile]:
    """Erase the rows with some keys or ids; return the files that had them.

    If the process is killed, the same call completes the erasure.

    Args:
        folder: the exported log.
        wanted: keys, as texts of the column `key`, or ids, of the column `id`.
        now_ms: the time; rows of records that are answered later are not erased.

    Raises:
        LogFolderUnusable: the files cannot be read or written.
    """
    changed = []
    with folder.locked():
        Erasures.read(folder.path).add(folder.path, wanted, now_ms)
        for file in folder.data_files():
            name = str(file.relative_to(folder.path))
            staged = folder.stage(f"rewritten/{file.name}")
            removed, kept = copy_without(file, wanted, staged)
            if removed:
                folder.replace(file, staged if kept else None)
                changed.append(ChangedFile(name, removed, kept))
    return changed


def expire(folder: LogFolder, before: str) -> list[ChangedFile]:
    """Remove the files of all days before a date, `YYYY-MM-DD`; return them.

    Raises:
        LogFolderUnusable: the files cannot be read or removed.
    """
    removed = []
    with folder.locked():
        days = sorted(one.name.removeprefix("day=") for one in folder.path.glob("day=*"))
        for day in (one for one in days if one < before):
            files = folder.data_files(day)
            removed += [
                ChangedFile(str(file.relative_to(folder.path)), count_rows(file), 0)
                for file in files
            ]
            folder.remove_day(day)
    return removed


def digest(column: str, value: str | None) -> str:
    """Return the digest under which an erased key or id is remembered."""
    return sha256(f"{column}:{value}".encode()).hexdigest()
