"""The joiner's state on disk after crashes, damage and moves: always what its changelog says."""

import asyncio
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rocksdict import Rdict
from structlog.testing import capture_logs

from modstream.broker.loop.isolation import is_fault
from modstream.processors.errors import StateDamaged, StateForeign, StateInUse, StateUnusable
from modstream.processors.join.disk.progress import CONFIRM_INTERVAL_S, MAX_AGE_S
from modstream.processors.join.entry_store import OffsetRange
from modstream.processors.join.faust.producer import contiguous_range
from modstream.processors.join.joiner import Joiner
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.storage import database as database_module
from modstream.processors.storage.database import translate
from tests.processors.join.entry_stores import Clock, open_disk
from tests.processors.join.join_log import TOPICS, JoinHarness, label, prediction
from tests.processors.join.test_joiner import CHANGELOG, PREDICTIONS, RecordingIO, predictions


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stores(tmp_path, clock):
    with open_disk(tmp_path, clock=clock) as opened:
        yield opened


@pytest.fixture
def harness(stores):
    created = JoinHarness(open_store=lambda: stores.open(0))
    for name in "abc":
        created.append(TOPICS.predictions, prediction(name))
    created.process(TOPICS.predictions)
    yield created
    created.join.store.close()


def joined(harness):
    return [one["id"] for one in harness.feedback()]


def reopened_with_reason(harness):
    """Open the store again; return the reason for which it was built anew, if it was."""
    with capture_logs() as logs:
        harness.restart()
    return next((one["reason"] for one in logs if "built anew" in one["event"]), None)


def test_changes_are_not_on_disk_before_the_changelog_has_them(harness):
    harness.append(TOPICS.labels, label("a"))

    harness.process(TOPICS.labels, crash=True)
    waiting = harness.join.open_count
    harness.process(TOPICS.labels)

    assert waiting == 3
    assert harness.join.open_count == 2
    assert joined(harness) == ["a", "a"]


def test_rows_that_the_store_has_missed_are_read_from_the_changelog(harness):
    harness.append(TOPICS.labels, label("a"))
    output = harness.join.process(TOPICS.labels, 1, harness.records[TOPICS.labels])
    harness.write(output.changelog_rows)

    harness.restart()

    assert harness.join.open_count == 2
    assert harness.join.state.inputs[TOPICS.labels].position == 1
    assert harness.join.store.next_offset == len(harness.log)


def test_restart_reads_the_state_row_only(harness, monkeypatch):
    offset = harness.join.store.next_offset
    read = []
    monkeypatch.setattr(harness, "restore_from", read.append)

    harness.restart()

    assert read == [offset] == [len(harness.log)]
    assert set(harness.join.entries) == set("abc")
    assert harness.join.state.inputs[TOPICS.predictions].position == 3


def test_store_that_was_lost_is_built_anew(harness, tmp_path):
    harness.join.store.close()
    for path in (tmp_path / "instance-one" / "0" / "db").iterdir():
        path.unlink()
    (tmp_path / "instance-one" / "0" / "db").rmdir()

    harness.join = harness.create_join()
    harness.restore_from(0)

    assert set(harness.join.entries) == set("abc")


def test_damaged_files_are_built_anew_and_the_log_says_so(harness, tmp_path):
    harness.join.store.close()
    (tmp_path / "instance-one" / "0" / "db" / "CURRENT").write_bytes(b"nonsense\n")
    harness.join.store.close = lambda: None

    reason = reopened_with_reason(harness)

    assert "CURRENT" in reason or "Corruption" in reason
    assert set(harness.join.entries) == set("abc")


def test_entry_that_cannot_be_read_is_noticed_and_the_next_start_builds_anew(
    harness, stores, tmp_path
):
    harness.join.store.close()
    damage_entry(tmp_path / "instance-one" / "0" / "db", b"ea")
    join = harness.create_join()

    with pytest.raises(StateDamaged, match="Nothing is lost") as error:
        join.store.get("a")
    join.store.close()
    harness.join.store.close = lambda: None
    reason = reopened_with_reason(harness)

    assert not is_fault(error.value)
    assert reason == "an entry cannot be read"
    assert set(harness.join.entries) == set("abc")


def damage_entry(folder, key):
    database = Rdict(str(folder), database_module.SharedMemory().options())
    database[key] = b"nonsense"
    database.close()


def test_store_that_may_have_missed_tombstones_is_built_anew(harness, clock):
    clock.now += MAX_AGE_S

    assert "20 hours" in reopened_with_reason(harness)
    assert set(harness.join.entries) == set("abc")


def test_store_of_an_idle_stream_stays_young(harness, clock):
    for _ in range(3):
        clock.now += MAX_AGE_S / 2
        harness.join.store.confirm()

    assert clock.now > CONFIRM_INTERVAL_S
    assert reopened_with_reason(harness) is None


def test_store_with_another_horizon_is_built_anew(harness, stores, tmp_path, clock):
    harness.join.store.close()
    harness.join.store.close = lambda: None
    stores.__exit__()

    with open_disk(tmp_path, horizon=7, clock=clock) as other:
        harness.open_store = lambda: other.open(0)
        reason = reopened_with_reason(harness)

    assert "horizon_ms" in reason
    assert set(harness.join.entries) == set("abc")


@pytest.mark.parametrize("ends", [OffsetRange(0, 2), OffsetRange(7, 9)])
def test_store_outside_the_changelog_is_built_anew(harness, stores, ends):
    harness.open_store = lambda: stores.open(0, ends)

    assert f"{ends.start} to {ends.end}" in reopened_with_reason(harness)


def test_changelog_of_the_same_name_is_noticed(harness):
    harness.join.state.table_id = "first"
    harness.append(TOPICS.predictions, prediction("d"))
    harness.process(TOPICS.predictions)
    harness.log = [(key, value and value.replace(b"first", b"other")) for key, value in harness.log]
    harness.changelog = dict(harness.log)

    with pytest.raises(StateForeign, match="another changelog"):
        harness.restart()
    reason = reopened_with_reason(harness)

    assert "another changelog" in reason
    assert harness.join.state.table_id == "other"


def test_rows_of_another_writer_are_read_at_the_next_start(harness):
    offset = harness.join.store.next_offset
    other = JoinHarness()
    other.append(TOPICS.predictions, prediction("z"))
    harness.log += other.join.process(
        TOPICS.predictions, 1, other.records[TOPICS.predictions]
    ).changelog_rows[:1]
    harness.append(TOPICS.labels, label("a"))
    with capture_logs() as logs:
        harness.process(TOPICS.labels)
    behind = harness.join.store.next_offset

    harness.restart()

    assert behind == offset
    assert [one["log_level"] for one in logs] == ["warning"]
    assert set(harness.join.entries) == {"a", "b", "c", "z"}
    assert harness.join.store.next_offset == len(harness.log)


def test_partition_that_moves_away_and_back_is_read_from_the_offset_of_its_files(tmp_path):
    with open_disk(tmp_path, instance="one") as one, open_disk(tmp_path, instance="two") as two:
        harness = JoinHarness(open_store=lambda: one.open(0))
        for number, owner in enumerate((one, two, one)):
            harness.open_store = lambda owner=owner: owner.open(0)
            harness.join.store.close()
            harness.join = harness.create_join()
            start = harness.join.store.next_offset
            harness.restore_from(start or 0)
            harness.append(TOPICS.predictions, prediction(f"r{number}"))
            harness.process(TOPICS.predictions)
        found = set(harness.join.entries)
        harness.join.store.close()

    assert start == 2
    assert found == {"r0", "r1", "r2"}


def test_instance_is_refused_a_second_time_and_others_get_folders_of_their_own(tmp_path):
    with open_disk(tmp_path), open_disk(tmp_path, instance=None) as first:
        with pytest.raises(StateInUse, match="instance_id"):
            open_disk(tmp_path).claim()
        with open_disk(tmp_path, instance=None) as second:
            folders = first.claim().name, second.claim().name
        with open_disk(tmp_path, instance=None) as third:
            assert third.claim().name == "slot-1"

    assert folders == ("slot-0", "slot-1")


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StateUnusable, match=r"file.*Not a directory"):
        open_disk(tmp_path / "file").claim()


def test_full_disk_ends_the_joiner_before_the_positions_advance(stores, monkeypatch):
    io = RecordingIO()
    settings = JoinerSettings(partitions=1)
    joiner = Joiner(TOPICS, settings, CHANGELOG, io, open_store=stores.open)
    joiner.assign({0})
    joiner.resume()

    def fail(*_):
        raise translate(Path("state"), Exception("IO error: No space left on device: x.log"))

    monkeypatch.setattr(database_module.Database, "write", fail)
    with pytest.raises(StateUnusable, match=r"No space left.*Nothing is lost"):
        asyncio.run(joiner.process(PREDICTIONS, predictions("a")))
    monkeypatch.undo()

    assert io.topics() == [CHANGELOG]
    assert joiner.durable_positions() == {}
    joiner.close()


WRITER = """
import signal, sys
from modstream.processors.join.settings import EntryLimits
from tests.processors.join.entry_stores import open_disk
from tests.processors.join.join_log import TOPICS, JoinHarness, prediction
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open_disk(sys.argv[1]) as stores:
    harness = JoinHarness(open_store=lambda: stores.open(0))
    for number in range(10_000):
        harness.append(TOPICS.predictions, prediction(f"n{number}", features={"x": "y" * 5000}))
        harness.process(TOPICS.predictions)
        print(number, flush=True)
"""


def test_file_that_cannot_grow_ends_the_writer_and_keeps_what_was_committed(tmp_path):
    """A limit on the size of files makes the write fail in RocksDB itself, as a full disk does."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    ended = subprocess.run(
        [sys.executable, "-c", WRITER, tmp_path],
        preexec_fn=limit, capture_output=True, text=True, check=False,
    )  # fmt: skip

    numbers = [int(line) for line in ended.stdout.splitlines() if line.isdigit()]
    assert "StateUnusable" in ended.stderr
    assert "File too large" in ended.stderr
    with open_disk(tmp_path) as stores:
        store = stores.open(0)
        kept = {name for name in map("n{}".format, range(100)) if store.get(name) is not None}
        store.close()
    assert kept == {f"n{number}" for number in numbers}


def test_offsets_of_batches_are_known_only_if_nothing_is_between_them():
    assert contiguous_range([5, 8], [3, 2]) == OffsetRange(5, 10)
    assert contiguous_range([5, 9], [3, 2]) is None
    assert contiguous_range([-1], [3]) is None
