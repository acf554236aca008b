"""The stores of a joiner: one folder for each partition, in a folder that only this joiner uses."""

import fcntl
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from time import time
from typing import Self
from urllib.parse import quote

import structlog

from modstream.processors.errors import StateDamaged, StateInUse, StateUnusable
from modstream.processors.join.disk import keys
from modstream.processors.join.disk.entries import DiskEntries
from modstream.processors.join.disk.progress import MAX_AGE_S, PROGRESS_ADAPTER, StoreProgress
from modstream.processors.join.entry_store import OffsetRange
from modstream.processors.join.settings import EntryLimits
from modstream.processors.storage.database import Database, SharedMemory
from modstream.processors.storage.progress import progress_to_continue
from modstream.processors.storage.store_folder import StoreFolder


class DiskStores:
    """Opens the stores of partitions, as long as the context.

    With an instance id the folder is that of the id, so that a restarted joiner finds its stores.
    Without one it is the first that no other joiner uses. A lock file keeps others out; the kernel
    unlocks it when the process ends.

    A store that is lost, damaged, too old or of another changelog is built anew from the changelog.
    """

    def __init__(
        self,
        folder: Path,
        instance_id: str | None,
        horizon: int,
        limits: EntryLimits,
        clock: Callable[[], float] = time,
    ) -> None:
        self._parent = folder
        self._instance_id = instance_id
        self._horizon = horizon
        self._limits = limits
        self._clock = clock
        self._memory = SharedMemory()
        self._folder: Path | None = None
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.claim()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = self._folder = None

    def claim(self) -> Path:
        """Return the folder of this joiner, which no other one can claim from now on.

        Raises:
            StateInUse: a joiner with the same instance id runs.
            StateUnusable: the folder cannot be created or written.
        """
        if self._folder is not None:
            return self._folder
        for folder in self._candidates():
            lock = _lock(folder)
            if lock is not None:
                self._lock, self._folder = lock, folder
                self._remove_abandoned(folder)
                return folder
        raise StateInUse(next(self._candidates()))

    def open(self, number: int, ends: OffsetRange | None = None) -> DiskEntries:
        """Open the store of a partition, or build a new one.

        Args:
            number: the partition.
            ends: the first and the next offset of its changelog, if known.

        Raises:
            StateUnusable: the folder cannot be read or written.
        """
        folder = StoreFolder(self.claim() / str(number))
        log = structlog.get_logger(__name__).bind(partition=number, folder=str(folder.path))
        reason = folder.damage()
        if folder.is_empty:
            log.info("no state on disk", effect="the changelog is read from its beginning")
        elif not reason:
            try:
                opened = self._reopen(folder, ends)
            except StateDamaged as error:
                opened = error.reason
            if isinstance(opened, DiskEntries):
                log.info("state on disk opened", changelog_offset=opened.next_offset)
                return opened
            reason = opened
        if reason:
            log.warning("state on disk is built anew from the changelog", reason=reason)
        folder.clear()
        database = Database(folder.database, self._memory)
        progress = StoreProgress(self._horizon)
        created = DiskEntries(folder, database, progress, self._limits, self._clock)
        created.commit_created()
        return created

    def _reopen(self, folder: StoreFolder, ends: OffsetRange | None) -> DiskEntries | str:
        """Return a store that can be continued, or why it cannot be."""
        database = Database(folder.database, self._memory)
        found = progress_to_continue(
            database,
            keys.PROGRESS,
            PROGRESS_ADAPTER.validate_json,
            lambda progress: progress.reason_to_rebuild(self._horizon, ends, self._clock()),
            ValueError,
        )
        if isinstance(found, str):
            return found
        return DiskEntries(folder, database, found, self._limits, self._clock)

    def _candidates(self) -> Iterator[Path]:
        if self._instance_id is not None:
            yield self._parent / f"instance-{quote(self._instance_id, safe='')}"
        else:
            for number in count():
                yield self._parent / f"slot-{number}"

    def _remove_abandoned(self, folder: Path) -> None:
        """Remove the stores of partitions that other joiners have had for so long."""
        for path in folder.iterdir():
            abandoned = StoreFolder(path)
            if path.is_dir() and abandoned.idle_seconds() > MAX_AGE_S:
                abandoned.clear()


def _lock(folder: Path) -> int | None:
    """Return a descriptor that holds the lock of a folder; None if another process holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StateUnusable(folder, str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise StateUnusable(folder, f"it cannot be locked: {error}") from error
    return descriptor
