"""What a dead process had in hand, and how it died: the content of its crash journal."""

import fcntl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self
from zlib import crc32

from modstream.broker.wire.records import Record

HAND_BYTES = 64 * 1024
"""Size of the line of the records in hand; partitions that do not fit are left out."""
FINGERPRINT_BYTES = 64 * 1024
"""Bytes of a value that its fingerprint covers."""
MAX_REPORT_BYTES = 16 * 1024
"""Bytes of the report of a dead process' end that are read."""
NOTHING, BATCH, ALONE = b"-", b"B", b"A"
VMSTAT = Path("/proc/vmstat")
UNKNOWN_CAUSE = "killed, by whom is not known"


class AloneRecord(NamedTuple):
    """A record that is handled alone, by its position, and a fingerprint of its content.

    `is_tried` says whether the record has survived a trial in a forked process.
    """

    topic: str
    partition: int
    offset: int
    fingerprint: int
    is_tried: bool = False

    @classmethod
    def of(cls, record: Record, *, is_tried: bool = False) -> Self:
        """Return the position and the fingerprint of a record."""
        start = crc32((record.value or b"")[:FINGERPRINT_BYTES])
        fingerprint = crc32(b"%d" % record.timestamp, start)
        return cls(record.topic, record.partition, record.offset, fingerprint, is_tried)


class DeadProcess(NamedTuple):
    """What a process that died had in hand: a batch, one record alone, or nothing.

    `batch` has the first offset and the one after the last, by topic and partition. `report` is
    what faulthandler or the watchdog wrote.
    """

    batch: Mapping[tuple[str, int], tuple[int, int]]
    alone: AloneRecord | None
    cause: str
    report: str

    @property
    def is_cause_known(self) -> bool:
        """Whether the process died by itself; otherwise it may have been killed from outside."""
        return self.cause != UNKNOWN_CAUSE


def read_if_dead(path: Path) -> DeadProcess | None:
    """Read and remove the file of a dead process; return None if the process lives.

    Raises:
        OSError: another process has removed the file, or it cannot be read.
    """
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        hand = file.read(HAND_BYTES)
        found = parse_dead_process(hand, file.read(MAX_REPORT_BYTES))
        path.unlink()
        return found


def parse_dead_process(hand: bytes, report: bytes) -> DeadProcess:
    """Parse a file; an incomplete line is that of a process with nothing in hand."""
    counter, _, text = report.decode(errors="replace").partition("\n")
    cause = cause_of(text, int(counter) if counter.isdecimal() else None)
    kind, *words = hand.partition(b"\n")[0].split(b" ")
    batch: dict[tuple[str, int], tuple[int, int]] = {}
    alone = None
    with suppress(ValueError, IndexError):
        if kind == ALONE:
            partition, offset, fingerprint, is_tried = map(int, words[1:])
            position = words[0].decode(), partition, offset
            alone = AloneRecord(*position, fingerprint, bool(is_tried))
        elif kind == BATCH:
            for word in words[1:]:
                number, start, end = map(int, word.split(b":"))
                batch[words[0].decode(), number] = start, end
    return DeadProcess(batch, alone, cause, text)


def cause_of(report: str, oom_kills: int | None) -> str:
    """Return why a process died, as far as its report and the kernel's counter show."""
    first = report.partition("\n")[0]
    if first:
        return first.removeprefix("Fatal Python error: ")
    if oom_kills is not None and count_oom_kills() > oom_kills:
        return "killed by the kernel, which ran out of memory"
    return UNKNOWN_CAUSE


def count_oom_kills() -> int:
    """Return how many processes this machine's kernel has killed for memory; 0 if unknown."""
    try:
        lines = VMSTAT.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("oom_kill ")).split()[1])
    except (OSError, ValueError, StopIteration):
        return 0
