"""Export of the inference log to Parquet files, each record exactly once.

The offsets up to which the topic was read are committed with the files (`log_folder`). After a
crash, the export continues from them, so that no record is lost or written twice.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import Any, NamedTuple, Protocol

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.records import Offsets, Record, TopicPartition
from modstream.errors import LogFolderUnusable
from modstream.locks import hold_lock
from modstream.operations.inference_log.erasures import Erasures
from modstream.operations.inference_log.log_folder import (
    EXPORTER_LOCK,
    LogCommit,
    LogFolder,
    data_file_name,
)
from modstream.operations.inference_log.log_rows import COLUMNS, LogRow, rows_of
from modstream.operations.inference_log.parquet_files import write_rows

MAX_ROWS = 50_000
"""Rows that are kept in memory before they are written."""
MAX_BYTES = 32 * 1024 * 1024
"""Size of their records, in bytes, before they are written."""
POLL_RECORDS = 2_000
POLL_SECONDS = 0.2
ID, KEY, ANSWERED = (list(COLUMNS).index(name) for name in ("id", "key", "answered"))


class LogSource(Protocol):
    """Where the records of the log are read from; `Reader` is one."""

    def poll(self, timeout: float, max_records: int) -> list[Record]:
        """Return the next records, after at most `timeout` seconds."""

    @property
    def positions(self) -> Offsets:
        """The next offset of each partition; negative for one that was not read yet."""


class ExportLimits(NamedTuple):
    """When rows are written: how many, the bytes of their records, the seconds since the last."""

    rows: int = MAX_ROWS
    bytes: int = MAX_BYTES
    seconds: float = 60.0


@dataclass(slots=True)
class ExportReport:
    """What an export has done: `erased` and `unreadable` records are not in the files."""

    requests: int = 0
    rows: int = 0
    files: int = 0
    commits: int = 0
    erased: int = 0
    unreadable: int = 0
    expired: int = 0


@dataclass(slots=True)
class RowBuffer:
    """The rows that are not written yet, by partition of the topic, day and model."""

    rows: defaultdict[tuple[int, str, str | None], list[tuple[Any, ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    count: int = 0
    bytes: int = 0

    def add(self, record: Record, rows: list[LogRow]) -> None:
        """Add the rows of a record."""
        for row in rows:
            self.rows[record.partition, row.day, row.model].append(row.cells)
        self.note(record)
        self.count += len(rows)

    def note(self, record: Record) -> None:
        """Note that a record was read, whether it has rows or not."""
        self.first.setdefault(record.partition, record.offset)
        self.last[record.partition] = record.offset
        self.bytes += len(record.value or b"")


class LogExporter:
    """Writes the records of a source to a folder; `commit` holds where it continues."""

    def __init__(
        self, source: LogSource, folder: LogFolder, commit: LogCommit, limits: ExportLimits
    ) -> None:
        self.report = ExportReport()
        self._source = source
        self._folder = folder
        self._commit = commit
        self._limits = limits
        self._buffer = RowBuffer()
        self._log = structlog.get_logger(__name__)
        self._due = monotonic() + limits.seconds

    def run(self, stop: Event, is_complete: Callable[[Offsets], bool]) -> None:
        """Read and write until `stop` is set, or until the positions reached are complete.

        What was read by then is written.

        Raises:
            LogFolderUnusable: the files cannot be written.
            BrokerError: the topic cannot be read.
        """
        while not stop.is_set():
            for record in self._source.poll(POLL_SECONDS, POLL_RECORDS):
                self._add(record)
            buffer, limits = self._buffer, self._limits
            is_full = buffer.count >= limits.rows or buffer.bytes >= limits.bytes
            if is_full or monotonic() >= self._due:
                self._write()
            if is_complete(self._source.positions):
                break
        self._write()

    def _add(self, record: Record) -> None:
        if record.offset < self._commit.offsets.get(record.partition, 0):
            return  # A client that reads from the beginning again, since its offset has expired.
        try:
            self._buffer.add(record, list(rows_of(record)))
            self.report.requests += 1
        except DecodeError as error:
            self._buffer.note(record)
            self.report.unreadable += 1
            self._log.warning("record not exported", cause=str(error)[:200])

    def _write(self) -> None:
        """Write and commit what was read."""
        self._due = monotonic() + self._limits.seconds
        buffer, self._buffer = self._buffer, RowBuffer()
        if not buffer.last:
            return
        with self._folder.locked():
            erasures = Erasures.read(self._folder.path)
            files = []
            for (partition, day, model), rows in sorted(buffer.rows.items(), key=str):
                kept = [
                    row for row in rows if not erasures.include(row[ID], row[KEY], row[ANSWERED])
                ]
                self.report.erased += len(rows) - len(kept)
                if kept:
                    first, last = buffer.first[partition], buffer.last[partition]
                    files.append(data_file_name(partition, first, last, day, model))
                    write_rows(self._folder.stage(files[-1]), kept)
                    self.report.rows += len(kept)
            read = {partition: offset + 1 for partition, offset in buffer.last.items()}
            offsets = {**self._commit.offsets, **read}
            self._commit = LogCommit(self._commit.topic, offsets, files)
            self._folder.commit(self._commit)
        self.report.files += len(files)
        self.report.commits += 1


def export_log(
    connection: Connection,
    topic: str,
    folder: LogFolder,
    stop: Event,
    limits: ExportLimits,
    *,
    follows: bool = False,
) -> ExportReport:
    """Export the topic of an inference log to a folder, up to its present end or until `stop`.

    Args:
        connection: the connection parameters of Kafka.
        topic: the topic of the log.
        folder: where the files are; one process at a time exports to it.
        stop: ends the export; what was read is written first.
        limits: when rows are written.
        follows: whether to go on at the end of the topic.

    Raises:
        LockHeld: another process exports to the folder.
        LogFolderUnusable: its files are of another topic, or cannot be written.
        TopicMissing: there is no such topic.
        BrokerError: the topic cannot be read.
    """
    with folder.translated_errors(), hold_lock(folder.path / EXPORTER_LOCK):
        with folder.locked():
            commit = folder.read_commit() or LogCommit(topic)
        admin = Admin(connection)
        ends = admin.end_offsets([topic], committed=True)
        firsts = admin.first_offsets([topic])
        start = {one: commit.offsets.get(one.partition, 0) for one in ends}
        expired = check_continuation(folder, commit, topic, firsts, ends)
        with Reader(connection, [topic], start) as reader:
            exporter = LogExporter(reader, folder, commit, limits)
            exporter.report.expired = expired
            if not all(start[one] >= end for one, end in ends.items()) or follows:
                exporter.run(stop, lambda at: not follows and has_reached(at, ends))
        return exporter.report


def has_reached(positions: Offsets, ends: Offsets) -> bool:
    """Return whether each partition was read up to its end."""
    return all(end == 0 or positions.get(one, -1) >= end for one, end in ends.items())


def check_continuation(
    folder: LogFolder, commit: LogCommit, topic: str, firsts: Offsets, ends: Offsets
) -> int:
    """Return how many offsets behind the committed ones have expired before they were exported.

    Raises:
        LogFolderUnusable: the folder has the log of another topic, or of one that was deleted.
    """
    if commit.topic != topic:
        raise LogFolderUnusable(folder.path, f"it has the log of {commit.topic}, not of {topic}")
    expired = 0
    for number, offset in commit.offsets.items():
        partition = TopicPartition(topic, number)
        if offset > ends.get(partition, 0):
            raise LogFolderUnusable(
                folder.path,
                f"it has offsets of {partition} up to {offset:,}, and the topic ends at"
                f" {ends.get(partition, 0):,}: the topic was created anew, so export to another"
                " folder",
            )
        expired += max(0, firsts[partition] - offset)
    if expired:
        structlog.get_logger(__name__).warning("records expired before the export", count=expired)
    return expired
