"""Suspects: the records that a process had in hand when it died, kept over restarts.

They are stored in a file beside the crash journals, for all processes of a role and stream: the
next owner of a partition is not always the process that replaces the dead one.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import Field, TypeAdapter

from modstream.broker.loop.crash_journal import CrashJournal, locked
from modstream.broker.loop.dead_process import AloneRecord, DeadProcess
from modstream.broker.wire.records import Offsets, Record, TopicPartition

SUSPECTS_FILE = "suspects.json"
DEATHS_UNTIL_SET_ASIDE = 2
"""Deaths with a record in hand after which it is set aside, if it was alone in one of them."""
DEATHS_WITHOUT_TRIAL = 4
"""Deaths with a record alone in hand after which it is not tried again: a trial may end the process
that waits for it, too."""
MAX_ALONE = 1000
"""Maximum number of records that are remembered in a partition."""
MAX_LOGGED_REPORT = 4000


@dataclass(slots=True)
class LoneDeaths:
    """How often a process died while it handled one record alone, and how the last one did.

    `is_tried` says whether another trial in a forked process would show nothing new: the record
    survived one before a death, or ended too many processes.
    """

    fingerprint: int
    deaths: int = 0
    cause: str = ""
    is_cause_known: bool = False
    is_tried: bool = False


@dataclass(slots=True)
class Suspect:
    """The suspects of one partition: all offsets from `start` to before `end`, and lone ones.

    `deaths` counts the processes that died with a batch of this range in hand.
    `batches_behind` counts the batches that this process has handled since it passed them.
    """

    start: int = 0
    end: int = 0
    deaths: int = 0
    alone: dict[int, LoneDeaths] = field(default_factory=dict)
    batches_behind: Annotated[int, Field(exclude=True)] = 0

    def add_batch(self, start: int, end: int) -> None:
        """Add a process that died with a batch in hand."""
        self.start = min(self.start, start) if self.end else start
        self.end = max(self.end, end)
        self.deaths += 1

    def add_alone(self, record: AloneRecord, dead: DeadProcess) -> None:
        """Add a process that died with one record in hand."""
        known = self.alone.get(record.offset)
        if known is None or known.fingerprint != record.fingerprint:
            known = self.alone[record.offset] = LoneDeaths(record.fingerprint)
        known.deaths += 1
        known.cause, known.is_cause_known = dead.cause, dead.is_cause_known
        known.is_tried |= record.is_tried
        while len(self.alone) > MAX_ALONE:
            del self.alone[min(self.alone)]

    def forget_before(self, offset: int) -> None:
        """Forget the offsets that are committed."""
        if self.end <= offset:
            self.start, self.end, self.deaths = 0, 0, 0
        for known in [one for one in self.alone if one < offset]:
            del self.alone[known]

    def deaths_of(self, record: Record) -> LoneDeaths | None:
        """Return the deaths of a record that must be set aside; None if it may be handled."""
        known = self.alone.get(record.offset)
        if known is None or known.fingerprint != AloneRecord.of(record).fingerprint:
            return None
        total = known.deaths + (self.deaths if self.start <= record.offset < self.end else 0)
        if total < DEATHS_UNTIL_SET_ASIDE:
            return None
        is_tried = known.is_tried or known.deaths >= DEATHS_WITHOUT_TRIAL
        return replace(known, deaths=total, is_tried=is_tried)

    @property
    def last(self) -> int:
        """The offset after the last suspect."""
        return max(self.end, max(self.alone, default=-1) + 1)

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.end or offset in self.alone


Suspects = dict[tuple[str, int], Suspect]
"""The suspects by topic and partition."""
SUSPECTS: TypeAdapter[dict[str, Suspect]] = TypeAdapter(dict[str, Suspect])
"""Suspects as they are stored, by `topic:partition`."""


def collect_suspects(journal: CrashJournal, committed: Offsets) -> Suspects:
    """Return all suspects, with those of processes that died since the last call.

    Args:
        journal: the journal of this process.
        committed: the first offsets of partitions that were just assigned to this process; what is
            before them is forgotten.
    """
    try:
        with locked(journal.folder):
            found = _read(journal.folder / SUSPECTS_FILE)
            for dead in journal.dead_processes():
                _add(found, dead)
            for partition, offset in committed.items():
                if partition in found:
                    found[partition].forget_before(offset)
            found = {one: suspect for one, suspect in found.items() if suspect.last}
            _write(journal.folder / SUSPECTS_FILE, found)
    except OSError as error:
        structlog.get_logger(__name__).warning("suspects not read", cause=str(error))
        return {}
    return found


def _add(suspects: Suspects, dead: DeadProcess) -> None:
    """Add what a dead process had in hand, and log how it died, unless it was idle and killed."""
    for partition, (start, end) in dead.batch.items():
        suspects.setdefault(partition, Suspect()).add_batch(start, end)
    if dead.alone is not None:
        suspects.setdefault(dead.alone[:2], Suspect()).add_alone(dead.alone, dead)
    if not (dead.batch or dead.alone or dead.report):
        return
    structlog.get_logger(__name__).error(
        "a process died",
        batch={f"{topic}:{number}": found for (topic, number), found in dead.batch.items()},
        alone=None if dead.alone is None else ":".join(map(str, dead.alone[:3])),
        cause=dead.cause,
        report=dead.report[:MAX_LOGGED_REPORT],
    )


def _read(path: Path) -> Suspects:
    """Read the suspects; return none if the file does not exist or is damaged."""
    try:
        stored = SUSPECTS.validate_json(path.read_bytes())
        return {TopicPartition.parse(name): suspect for name, suspect in stored.items()}
    except FileNotFoundError:
        return {}
    except ValueError as error:
        structlog.get_logger(__name__).warning("suspects not read", cause=str(error))
        return {}


def _write(path: Path, suspects: Suspects) -> None:
    """Write the suspects to the file; remove the file if there are none."""
    if not suspects:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_suffix(".new")
    stored = {f"{topic}:{number}": suspect for (topic, number), suspect in suspects.items()}
    temporary.write_bytes(SUSPECTS.dump_json(stored))
    temporary.replace(path)
