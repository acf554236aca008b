"""The crash journal: which records a process had in hand when it died, and how it died.

Each process has a file in a folder that all processes of its role and stream share. The file is
locked as long as the process lives, and removed when it ends normally. A file that is left behind
without a lock is thus that of a process that died: killed, ended by native code, or by its
watchdog. Nothing is flushed to the disk: the files outlive their process, not their machine.

The first `HAND_BYTES` of a file are the records in hand: one line, overwritten by one system call
per batch. Behind them are the counter of the kernel's out-of-memory kills at the process' start,
and whatever faulthandler and the watchdog wrote before the end.
"""

import faulthandler
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from time import monotonic, sleep
from typing import Self
from uuid import uuid4

import structlog

from modstream.broker.loop.dead_process import (
    ALONE,
    BATCH,
    HAND_BYTES,
    NOTHING,
    AloneRecord,
    DeadProcess,
    count_oom_kills,
    read_if_dead,
)

JOURNAL_FOLDER = "journal"
"""Name of the folder of all journals in a home folder; in it, each role and stream has its own."""
SUFFIX = ".hand"
LOCK_FILE = "lock"
LOCK_TIMEOUT_S = 2.0
LOCK_POLL_S = 0.01


class CrashJournal:
    """The journal file of this process. One thread calls `hold`, `hold_alone` and `release`.

    If the file cannot be written, this is logged, and the process works without a journal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / f"{uuid4().hex}{SUFFIX}"
        self._log = structlog.get_logger(__name__)
        self._hand: int | None = None
        self._report: FileIO | None = None
        self._held_since = 0.0

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder):
                self._hand = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._hand, fcntl.LOCK_EX)
            os.pwrite(self._hand, NOTHING + b"\n" + bytes(HAND_BYTES - 2), 0)
            self._report = FileIO(self._path, "ab")
            self._report.write(b"%d\n" % count_oom_kills())
        except OSError as error:
            self._log.warning("crash journal not written", cause=str(error))
            self._discard()
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()
        if self._report is not None:
            self._report.close()
            self._report = None

    @property
    def name(self) -> str:
        """The name of this process' file."""
        return self._path.name

    @property
    def hand_descriptor(self) -> int | None:
        """The descriptor that holds the lock; a forked process must close it."""
        return self._hand

    @property
    def report(self) -> FileIO | None:
        """The file for the report of this process' end; None without a journal."""
        return self._report

    def hold(
        self, topic: str, last_offsets: Mapping[int, int], first_offsets: Mapping[int, int]
    ) -> None:
        """Note that a batch is in hand, with the last offset of each partition.

        Where the first one is not given, all records up to the last one are in hand.
        """
        first = first_offsets.get
        ranges = b" ".join([b"%d:%d:%d" % (p, first(p, 0), n + 1) for p, n in last_offsets.items()])
        if len(ranges) > HAND_BYTES // 2:
            ranges = ranges[: HAND_BYTES // 2].rpartition(b" ")[0]
        self._held_since = monotonic()
        self._write(b"%b %b %b\n" % (BATCH, topic.encode(), ranges))

    def hold_alone(self, record: AloneRecord) -> None:
        """Note that one record is in hand."""
        self._held_since = monotonic()
        self._write(b"%b %b %d %d %d %d\n" % (ALONE, record[0].encode(), *record[1:]))

    def release(self) -> None:
        """Note that nothing is in hand."""
        self._write(b"-\n")

    def note_stall(self, reason: str, seconds: float) -> None:
        """Write down that this process ends itself, since nothing was delivered for some time.

        Records that it has had in hand for a short time only are not the reason, and are released.
        """
        if monotonic() - self._held_since < seconds / 2:
            self.release()
        if self._report is not None:
            with suppress(OSError):
                self._report.write(f"{reason}\n".encode())
                faulthandler.dump_traceback(self._report)

    def dead_processes(self) -> Iterator[DeadProcess]:
        """Return what each dead process of the folder had in hand, and remove its file."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path.name != self.name:
                with suppress(OSError):
                    found = read_if_dead(path)
                    if found is not None:
                        yield found

    def _write(self, line: bytes) -> None:
        if self._hand is not None:
            try:
                os.pwrite(self._hand, line, 0)
            except OSError as error:
                self._log.warning("crash journal not written", cause=str(error))
                self._discard()

    def _discard(self) -> None:
        """Remove the file, and go on without it. Reports may still be written to it."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        if self._hand is not None:
            os.close(self._hand)
            self._hand = None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of journals. Processes hold it for moments, mostly at their start.

    Raises:
        OSError: the lock file cannot be written, or another process does not release the lock: it
            was stopped at this moment.
    """
    deadline = monotonic() + LOCK_TIMEOUT_S
    with (folder / LOCK_FILE).open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > deadline:
                    raise
                sleep(LOCK_POLL_S)
        yield
