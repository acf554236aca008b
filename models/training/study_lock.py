"""The lock of a study's file; the operating system releases that of a killed process."""

import fcntl
import os
from pathlib import Path

from optuna.storages.journal import JournalFileOpenLock

BLOCK = 64 * 1024


class StudyFileLock(JournalFileOpenLock):
    """An exclusive lock beside a file of Optuna's journal.

    Optuna's own locks are files, which outlive a killed process by 30 s. Before the lock is given,
    an incomplete last line, which a killed process has left, is removed.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._descriptor = -1

    def acquire(self) -> bool:
        """Wait for the lock."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._lock_path, flags, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        remove_incomplete_line(self._path)
        return True

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._descriptor)


def remove_incomplete_line(path: Path) -> None:
    """Cut a file of lines after its last complete line."""
    with path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            file.truncate(end)
