"""The guard around the work on a batch: no record can stop its partition.

    with CrashJournal(home / "journal" / group) as journal:
        guard = CrashGuard(journal, topic, assignment_epoch)
        results = guard.run(work, batch, set_aside)      # instead of [work(batch)]

`work` and `set_aside` are those of `isolate`: a record on which `work` raises an unforeseen
exception is set aside. So is a record that ends the process (docs/delivery.md): after a death with
a batch in hand, its records are handled one by one; after a second one, the record that was alone
in hand is set aside. The normal end of a process, and a death with nothing in hand, make no
suspects.

The service's main thread also installs `NativeFaultHandler(timeout, journal.report)`, and gives the
journal to its `StallWatchdog`, which write down how the process ends.

Worker, joiner and learner use the same class, each with a folder of its own. A batch has records
of one topic. `assignment_epoch` returns how often a partition was assigned to this process; a
process that owns its partitions as long as it lives passes `lambda _: 0`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import TypeVar

import structlog

from modstream.broker.errors import ProcessKilled
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.loop.dead_process import AloneRecord
from modstream.broker.loop.isolation import SetAside, Work, isolate
from modstream.broker.loop.suspects import LoneDeaths, Suspects, collect_suspects
from modstream.broker.loop.trial import survives
from modstream.broker.wire.records import (
    Record,
    TopicPartition,
    first_offsets_of_topic,
    last_offsets_of_topic,
)

T = TypeVar("T")

TRIAL_SECONDS = 10.0
"""How long a record may take in a forked process."""
BATCHES_IN_FLIGHT = 3
"""More batches than can be rewound at once: then the suspects before them are not read again."""


class CrashGuard:
    """Runs work on batches, and sets aside the records that no process survives.

    A record is set aside if two processes died with it in hand, and at least one of them had no
    other record in hand. If that process may have been killed from outside, the record is first
    tried in a forked process, and handled again if it survives. One thread calls `run`.

    `rereads` says whether a process may start before the batch that the last one had in hand, as a
    learner does. Otherwise finding where a batch starts is not worth its time.
    """

    def __init__(
        self,
        journal: CrashJournal,
        topic: str,
        assignment_epoch: Callable[[TopicPartition], int],
        trial_seconds: float = TRIAL_SECONDS,
        *,
        rereads: bool = True,
    ) -> None:
        self._journal = journal
        self._topic = topic
        self._assignment_epoch = assignment_epoch
        self._trial_seconds = trial_seconds
        self._rereads = rereads
        self._epochs: dict[int, int] = {}
        self._suspects: Suspects = {}

    def run(self, work: Work[T], batch: Sequence[Record], set_aside: SetAside[T]) -> list[T]:
        """Run work on a batch.

        Args:
            work: handles records; it is repeated on parts of the batch if it raises.
            batch: records of the guard's topic, in the order of their offsets; at least one.
            set_aside: returns the result of a record that cannot be handled.

        Returns:
            The results in the order of the batch: one, unless records are set aside or suspect.
        """
        last = last_offsets_of_topic(batch)
        self._note_assignments(last, batch)
        if not (self._suspects and self._has_suspects(last, batch)):
            return self._run_batch(work, batch, set_aside, last)
        results: list[T] = []
        for is_suspect, group in groupby(batch, self._is_suspect):
            records = list(group)
            if is_suspect:
                for record in records:
                    results += self._run_alone(work, record, set_aside)
            else:
                last = last_offsets_of_topic(records)
                results += self._run_batch(work, records, set_aside, last)
        return results

    def _run_batch(
        self,
        work: Work[T],
        batch: Sequence[Record],
        set_aside: SetAside[T],
        last_offsets: dict[int, int],
    ) -> list[T]:
        if len(batch) == 1:
            self._journal.hold_alone(AloneRecord.of(batch[0]))
        else:
            first = last_offsets_of_topic(batch[::-1]) if self._rereads else {}
            self._journal.hold(self._topic, last_offsets, first)
        try:
            return isolate(work, batch, set_aside)
        finally:
            self._journal.release()

    def _run_alone(self, work: Work[T], record: Record, set_aside: SetAside[T]) -> list[T]:
        deaths = self._suspects[record.topic, record.partition].deaths_of(record)
        self._journal.hold_alone(AloneRecord.of(record))
        try:
            if deaths is not None:
                if self._is_deadly(work, record, deaths):
                    return [set_aside(record, ProcessKilled(deaths.deaths, deaths.cause))]
                # Only now: a kill from outside may as well hit the process during the trial.
                self._journal.hold_alone(AloneRecord.of(record, is_tried=True))
            return isolate(work, [record], set_aside)
        finally:
            self._journal.release()

    def _is_deadly(self, work: Work[T], record: Record, deaths: LoneDeaths) -> bool:
        """Return whether a record has ended its processes; a kill from outside does not count."""
        log = structlog.get_logger(__name__).bind(
            record=record.position, deaths=deaths.deaths, cause=deaths.cause
        )
        if not (deaths.is_cause_known or deaths.is_tried):
            attempt = partial(work, [record])
            if survives(attempt, self._trial_seconds, self._journal.hand_descriptor) is not False:
                log.warning("record is handled again, since a forked process survived it")
                return False
        log.error("record set aside, since processes died of it", code=ProcessKilled.code)
        return True

    def _has_suspects(self, last_offsets: dict[int, int], batch: Sequence[Record]) -> bool:
        """Return whether a batch has suspects; forget those that it and others have passed."""
        watched = [one for one in last_offsets if (self._topic, one) in self._suspects]
        if not watched:
            return False
        found = {record.partition for record in batch if self._is_suspect(record)}
        for partition in watched:
            suspect = self._suspects[self._topic, partition]
            suspect.batches_behind = 0 if partition in found else suspect.batches_behind + 1
            if suspect.batches_behind > BATCHES_IN_FLIGHT:
                del self._suspects[self._topic, partition]
        return bool(found)

    def _is_suspect(self, record: Record) -> bool:
        suspect = self._suspects.get((record[0], record[1]))
        return suspect is not None and record[2] in suspect

    def _note_assignments(self, last_offsets: dict[int, int], batch: Sequence[Record]) -> None:
        """Collect the suspects when partitions were assigned that another process may have held."""
        fresh = set()
        for partition in last_offsets:
            epoch = self._assignment_epoch(TopicPartition(self._topic, partition))
            if self._epochs.get(partition) != epoch:
                self._epochs[partition] = epoch
                fresh.add(partition)
        if fresh:
            firsts = first_offsets_of_topic(batch).items()
            committed = {one: offset for one, offset in firsts if one.partition in fresh}
            self._suspects = collect_suspects(self._journal, committed)
