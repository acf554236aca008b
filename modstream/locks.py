"""Locks of processes: files that the kernel unlocks when their process ends, however it ends.

A lock file is never removed. It contains the process that locked it last, and is read only while
it is locked: what a killed process has left behind says nothing.
"""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple, Self

import psutil

from modstream.errors import LockHeld

SETTLE_SECONDS = 0.5
"""How long a lock is tried that a live process holds: a reader holds it for microseconds."""
DEAD_HOLDER_SECONDS = 15.0
"""How long a lock is tried whose process was killed: the children that inherited it are ending."""
RETRY_SECONDS = 0.02


class Holder(NamedTuple):
    """A process that holds a lock: its id, and its command as a person would type it."""

    pid: int
    command: str

    @classmethod
    def current(cls) -> Self:
        """Return this process."""
        script = Path(sys.argv[0])
        name = script.parent.name if script.stem == "__main__" else script.name
        return cls(os.getpid(), shlex.join([name, *sys.argv[1:]]))

    @property
    def is_alive(self) -> bool:
        """Whether the process exists, and has not been killed."""
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@contextmanager
def hold_lock(path: Path) -> Iterator[int]:
    """Hold a lock as long as the context, and yield its file descriptor.

    A child process that inherits the descriptor holds the lock, too, until it ends.

    Raises:
        LockHeld: another process holds it.
        OSError: the file cannot be created, written or locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, path)
        content = json.dumps(Holder.current()._asdict()).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
        yield descriptor
    finally:
        os.close(descriptor)


def find_holder(path: Path) -> Holder | None:
    """Return the process that holds a lock; None if none does, or if it has just locked it."""
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_holder(file.fileno())
    return None


def _lock(descriptor: int, path: Path) -> None:
    start = monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(descriptor)
            is_dead = holder is not None and not holder.is_alive
            if monotonic() - start > (DEAD_HOLDER_SECONDS if is_dead else SETTLE_SECONDS):
                raise LockHeld(path, *(holder or (None, ""))) from None
            sleep(RETRY_SECONDS)
        else:
            return


def _read_holder(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 64 * 1024, 0)))
    except (ValueError, TypeError):
        return None
