"""A record that ends the process is set aside after two deaths, whatever ends it; no other is."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from modstream.broker.loop import crash_journal
from modstream.broker.loop.crash_guard import BATCHES_IN_FLIGHT, CrashGuard
from modstream.broker.loop.crash_journal import CrashJournal, locked
from modstream.broker.loop.dead_process import (
    UNKNOWN_CAUSE,
    AloneRecord,
    cause_of,
    count_oom_kills,
    parse_dead_process,
)
from modstream.broker.loop.suspects import collect_suspects
from modstream.broker.loop.trial import survives
from modstream.broker.wire.records import Record, TopicPartition

COUNT = 40
ROOT = Path(__file__).parents[3]
PARTITION = TopicPartition("t", 0)


class Runs:
    """Processes one after the other, each from where the last one has committed."""

    def __init__(self, folder):
        self.folder = folder
        self.committed = 0
        self.codes = []
        self.results = []

    def start(self, *, poison="", way="kill", batch=16, count=COUNT):
        done = subprocess.run(
            [sys.executable, "-m", "tests.broker.loop.crashing_process", str(self.folder),
             *map(str, (self.committed, count, batch, poison, way))],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        uncommitted = []
        for line in found:
            if "committed" in line:
                self.results += uncommitted
                self.committed, uncommitted = line["committed"], []
            else:
                uncommitted.append(line)
        self.codes.append(done.returncode)
        return done

    def until_done(self, **options):
        """Start processes until one ends normally; return how often one was started again."""
        while self.committed < COUNT:
            assert len(self.codes) < 6, self.codes
            self.start(**options)
        return len(self.codes) - 1


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "journal")


def set_aside(runs):
    return [one["offset"] for one in runs.results if "error" in one]


CAUSES = {
    "kill": UNKNOWN_CAUSE,
    "segfault": "Segmentation fault",
    "exit": UNKNOWN_CAUSE,
    "abort": "Aborted",
    "lock": "Timeout (0:00:02)!",
    "hang": "stalled: nothing was delivered",
}


@pytest.mark.slow
@pytest.mark.parametrize("batch", [16, 1])
@pytest.mark.parametrize("way", CAUSES)
def test_a_record_that_ends_the_process_costs_two_restarts(runs, way, batch):
    assert runs.until_done(poison=20, way=way, batch=batch) == 2
    assert [one["offset"] for one in runs.results] == list(range(COUNT)), "in order, each once"
    assert set_aside(runs) == [20]
    (letter,) = [one for one in runs.results if "error" in one]
    assert letter["code"] == "internal_error"
    assert letter["error"] == (
        f"the process ended 2 times while handling this record, last: {CAUSES[way]}"
    )
    assert list(runs.folder.glob("*.hand")) == []


@pytest.mark.slow
def test_two_poison_records_of_a_batch_cost_two_restarts_each(runs):
    assert runs.until_done(poison="18,25", way="segfault") <= 4
    assert set_aside(runs) == [18, 25]


@pytest.mark.slow
def test_a_process_killed_twice_from_outside_loses_no_record(runs):
    """Whoever kills from outside hits what is in hand: a batch, then a record alone, again."""
    for _ in range(2):
        assert runs.start(poison=20, way="parent").returncode == -9

    assert runs.until_done() == 2
    assert set_aside(runs) == []
    assert [one["offset"] for one in runs.results] == list(range(COUNT))


def test_a_death_with_nothing_in_hand_makes_no_suspects(runs):
    runs.start(poison=20, way="released")

    with CrashJournal(runs.folder) as journal:
        assert collect_suspects(journal, {}) == {}


def test_a_process_that_ends_normally_leaves_nothing(runs):
    runs.until_done()

    assert runs.codes == [0]
    assert [path.name for path in runs.folder.iterdir()] == ["lock"]


def record(offset, value=b"v", timestamp=1):
    return Record("t", 0, offset, None, value, (), timestamp)


def dead(folder, *held):
    """Leave the journal of a process that died with something in hand."""
    journal = CrashJournal(folder)
    journal.__enter__()
    for one in held:
        if isinstance(one, AloneRecord):
            journal.hold_alone(one)
        else:
            journal.hold("t", {0: one}, {})
    die(journal)


def die(journal):
    """Let go of a journal as a process does that dies."""
    os.close(journal._hand)
    journal.report.close()


class Process:
    """A process of the group whose partition starts at an offset."""

    def __init__(self, folder):
        self.journal = CrashJournal(folder)
        self.epoch = 0
        self.calls = []

    def __enter__(self):
        self.journal.__enter__()
        self.guard = CrashGuard(self.journal, "t", lambda _: self.epoch)
        return self

    def __exit__(self, *_):
        self.journal.__exit__()

    def run(self, *records):
        """Return the offsets of each call of the work, and those that are set aside."""
        self.calls = []

        def work(batch):
            self.calls.append([one.offset for one in batch])
            return []

        found = self.guard.run(work, records, lambda one, _: [one.offset])
        return self.calls, [offset for one in found for offset in one]


def test_only_the_records_that_were_in_hand_are_handled_alone(tmp_path):
    dead(tmp_path, 12)

    with Process(tmp_path) as process:
        assert process.run(*map(record, range(10, 16))) == ([[10], [11], [12], [13, 14, 15]], [])


def test_the_records_before_a_batch_are_no_suspects_where_they_are_read_again(tmp_path):
    with Process(tmp_path) as process:
        # A copy of the journal has no lock, like that of a process that died at this moment.
        copy = partial(shutil.copy, process.journal._path, tmp_path / "copy.hand")
        process.guard.run(lambda _: copy(), [record(11), record(12)], None)

    with Process(tmp_path) as process:
        found, _ = process.run(*map(record, range(8, 15)))

    assert found == [[8, 9, 10], [11], [12], [13, 14]]


def test_the_journal_of_a_living_process_makes_no_suspects(tmp_path):
    with Process(tmp_path) as one, Process(tmp_path) as other:
        one.journal.hold("t", {0: 12}, {})

        assert other.run(record(10), record(11)) == ([[10, 11]], [])


def test_the_next_owner_of_a_partition_knows_the_deaths_of_the_last_one(tmp_path):
    with Process(tmp_path) as other:
        assert other.run(record(7), record(8))[0] == [[7, 8]]
        dead(tmp_path, 12)
        assert other.run(record(9), record(10))[0] == [[9, 10]], "still the same assignment"
        other.epoch += 1

        assert other.run(record(11), record(12))[0] == [[11], [12]]


@pytest.mark.parametrize(("deaths", "is_set_aside"), [(3, False), (4, True)])
def test_deaths_during_a_trial_count_only_if_there_are_many(tmp_path, deaths, is_set_aside):
    """A kill from outside may hit the process that waits for the trial of an innocent record."""
    for _ in range(deaths):
        dead(tmp_path, AloneRecord.of(record(11)))

    with Process(tmp_path) as process:
        called, found = process.run(record(11), record(12))

    assert found == ([11] if is_set_aside else [])
    assert called == ([[12]] if is_set_aside else [[11], [12]])


def test_a_record_is_written_down_as_tried_only_after_it_survived(tmp_path):
    for _ in range(2):
        dead(tmp_path, AloneRecord.of(record(11)))
    seen = tmp_path / "seen"  # A file, since the forked process writes it, too.

    with Process(tmp_path) as process:
        hand = process.journal._path

        def work(_):
            with seen.open("ab") as file:
                file.write(hand.read_bytes().partition(b"\n")[0][-1:])
            return []

        process.guard.run(work, [record(11)], None)

    assert seen.read_bytes() == b"01", "in the forked process, then in this one"


def test_what_is_committed_is_forgotten(tmp_path):
    dead(tmp_path, 12)

    with Process(tmp_path) as process:
        assert process.run(record(13), record(14)) == ([[13, 14]], [])
        assert not (tmp_path / "suspects.json").exists()


def test_a_rewound_batch_has_its_suspects_still_and_later_ones_cost_nothing(tmp_path):
    alone = AloneRecord.of(record(11))
    for held in (12, alone, alone._replace(is_tried=True)):
        dead(tmp_path, held)

    with Process(tmp_path) as process:
        for _ in range(2):
            assert process.run(record(11), record(12)) == ([[12]], [11])
        for offset in range(20, 22 + BATCHES_IN_FLIGHT):
            process.run(record(offset), record(offset + 1))
        assert process.guard._suspects == {}


def test_another_record_at_the_same_offset_is_innocent(tmp_path):
    """As in a topic that was deleted and created again."""
    alone = AloneRecord.of(record(11), is_tried=True)
    for _ in range(2):
        dead(tmp_path, alone)

    with Process(tmp_path) as process:
        assert process.run(record(11, value=b"other"), record(12)) == ([[11], [12]], [])
        assert process.run(record(11, timestamp=2), record(12)) == ([[11], [12]], [])
        assert process.run(record(11), record(12)) == ([[12]], [11])


def test_each_death_is_logged_with_what_was_in_hand(tmp_path):
    dead(tmp_path, 12)

    with Process(tmp_path) as process, capture_logs() as logs:
        process.run(record(11))

    (line,) = [one for one in logs if one["log_level"] == "error"]
    assert (line["batch"], line["cause"]) == ({"t:0": (0, 13)}, UNKNOWN_CAUSE)


@pytest.mark.parametrize(
    "content",
    [b"", b"[1", b'{"t": {}}', b'{"t:0": 1}', b'{"t:0": {"start": "x", "end": 99}}', b"\xff\xfe"],
)
def test_a_damaged_file_of_suspects_is_ignored(tmp_path, content):
    (tmp_path / "suspects.json").write_bytes(content)
    (tmp_path / "x.hand").write_bytes(b"B t 0:0:12 1:")

    with Process(tmp_path) as process:
        assert process.run(record(11), record(12)) == ([[11], [12]], [])
        assert process.run(record(13)) == ([[13]], [])


@pytest.mark.parametrize(
    "line", [b"", b"-", b"A t", b"A t 1 2", b"B", b"B t", b"X t 0:0:1", b"B t 0:1", b"A t 0 1 2 x"]
)
def test_an_incomplete_line_is_nothing_in_hand(line):
    found = parse_dead_process(line + b"\n" + bytes(9), b"")

    assert (dict(found.batch), found.alone) == ({}, None)


def test_a_folder_that_cannot_be_written_costs_the_journal_only(tmp_path):
    (tmp_path / "file").write_text("not a folder")

    with capture_logs() as logs, Process(tmp_path / "file") as process:
        assert process.run(record(1), record(2)) == ([[1, 2]], [])

    assert {one["event"] for one in logs} <= {"crash journal not written", "suspects not read"}
    assert logs


def test_a_process_that_stopped_with_the_lock_of_the_folder_stops_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(crash_journal, "LOCK_TIMEOUT_S", 0.05)

    with locked(tmp_path), capture_logs() as logs, Process(tmp_path) as process:
        assert process.run(record(1), record(2)) == ([[1, 2]], [])

    assert [one["event"] for one in logs] == ["crash journal not written", "suspects not read"]


def test_the_kernel_says_that_memory_ran_out():
    kills = count_oom_kills()

    assert cause_of("", kills) == UNKNOWN_CAUSE
    assert cause_of("", kills - 1) == "killed by the kernel, which ran out of memory"
    assert cause_of("Fatal Python error: Bus error\n\nThread", kills - 1) == "Bus error"
    assert cause_of("", None) == UNKNOWN_CAUSE


def test_a_stall_with_records_that_came_lately_is_not_their_fault(tmp_path):
    journal = CrashJournal(tmp_path)
    journal.__enter__()
    journal.hold("t", {0: 12}, {})
    journal.note_stall("stalled", 100.0)
    die(journal)

    with CrashJournal(tmp_path) as other:
        (found,) = other.dead_processes()

    assert (dict(found.batch), found.cause) == ({}, "stalled")


def fail():
    raise KeyError


def test_work_survives_a_trial_unless_it_ends_the_process():
    assert survives(lambda: None, 10) is True
    assert survives(fail, 10) is True
    assert survives(lambda: os._exit(0), 10) is False
    assert survives(os.abort, 10) is False
    assert survives(Event().wait, 0.2) is None
