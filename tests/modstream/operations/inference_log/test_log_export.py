"""The exported log has each record once, whatever ends the process that exports it."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Event

import pyarrow.dataset
import pytest

from modstream.broker.wire.records import TopicPartition
from modstream.errors import LogFolderUnusable
from modstream.operations.inference_log import log_export, log_folder
from modstream.operations.inference_log.log_export import (
    POLL_RECORDS,
    ExportLimits,
    LogExporter,
    check_continuation,
)
from modstream.operations.inference_log.log_folder import COMMIT, STAGING, LogCommit, LogFolder
from tests.modstream.operations.inference_log.log_records import (
    MINUTE,
    START,
    TOPIC,
    MemoryLog,
    export_all,
    log_record,
)


def read(folder):
    """Return the rows of all files, as any reader of Parquet data sets reads them."""
    fields = pyarrow.schema([("day", pyarrow.string()), ("model", pyarrow.string())])
    folders = pyarrow.dataset.partitioning(fields, flavor="hive")
    return pyarrow.dataset.dataset(folder, partitioning=folders).to_table().to_pylist()


def positions(folder):
    return sorted((row["log_partition"], row["log_offset"]) for row in read(folder))


def expected(count):
    return sorted((number % 2, number // 2) for number in range(count))


def test_a_row_has_what_the_record_says(tmp_path):
    features = {"names": ["x", "y"], "rows": 1, "data": [1.5, 2.5]}
    answers = [
        {"outcome": "answered", "model": "online", "version": 3, "bytes_out": 80,
         "milliseconds": 1.5, "outputs": {"probability": 0.25}},
        {"outcome": "error", "code": "no_output", "model": "frozen", "bytes_out": 40},
    ]  # fmt: skip
    record = log_record(
        6, outcome="partly_answered", answers=answers, features=features, asked_version=7
    )

    report = export_all(tmp_path, [record])

    first, second = sorted(read(tmp_path), key=lambda row: row["answer"])
    assert (report.requests, report.rows, report.files) == (1, 2, 2)
    assert (first["id"], first["key"], first["day"]) == ("r6", "k6", "2023-11-14")
    assert (first["model"], first["version"], first["code"]) == ("online", 3, None)
    assert (second["model"], second["version"], second["code"]) == ("frozen", None, "no_output")
    assert {row["request_outcome"] for row in (first, second)} == {"partly_answered"}
    assert first["features"] == '[{"x":1.5,"y":2.5}]'
    assert (first["outputs"], second["outputs"]) == ('{"probability": 0.25}', None)
    assert first["answered"].timestamp() * 1000 == pytest.approx(START + 6 * MINUTE)
    assert (first["asked_version"], first["milliseconds"]) == ("7", 1.5)


def test_a_request_without_answers_has_one_row_without_model(tmp_path):
    export_all(tmp_path, [log_record(0, outcome="duplicate", answers=[])])

    (row,) = read(tmp_path)
    assert (row["outcome"], row["answers"], row["model"]) == ("duplicate", 0, None)


def test_files_are_named_by_their_offsets_in_folders_of_day_and_model(tmp_path):
    export_all(tmp_path, [log_record(number) for number in range(4)])

    assert sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.parquet")) == [
        "day=2023-11-14/model=online/0-0-1.parquet",
        "day=2023-11-14/model=online/1-0-1.parquet",
    ]


def test_a_second_export_continues_behind_the_first_one(tmp_path):
    records = [log_record(number) for number in range(5000)]

    export_all(tmp_path, records[:3000])
    report = export_all(tmp_path, records)

    assert report.requests == 2000
    assert positions(tmp_path) == expected(5000)


def test_records_that_are_read_again_are_not_written_again(tmp_path):
    records = [log_record(number) for number in range(100)]
    export_all(tmp_path, records)
    folder = LogFolder(tmp_path)
    commit = folder.read_commit()

    rewound = MemoryLog(records, {})
    exporter = LogExporter(rewound, folder, commit, ExportLimits())
    exporter.run(Event(), rewound.is_read)

    assert positions(tmp_path) == expected(100)


def test_a_record_that_is_none_of_the_log_is_counted_and_passed(tmp_path):
    foreign = log_record(1)._replace(value=b"no JSON")

    report = export_all(tmp_path, [log_record(0), foreign, log_record(2)])

    assert (report.requests, report.unreadable) == (2, 1)
    assert LogFolder(tmp_path).read_commit().offsets == {0: 2, 1: 1}


class Crash(BaseException):
    """The end of a process at one of its calls of the operating system."""


def crash_at(monkeypatch, number):
    """Let the export end at its `number`-th change of a file; return the count of changes."""
    calls = Counter()

    def crashing(call):
        def wrapped(*arguments, **options):
            calls["all"] += 1
            if calls["all"] == number:
                raise Crash
            return call(*arguments, **options)

        return wrapped

    for name in ("replace", "mkdir", "unlink", "write_bytes"):
        monkeypatch.setattr(Path, name, crashing(getattr(Path, name)))
    monkeypatch.setattr(log_folder, "sync", crashing(log_folder.sync))
    monkeypatch.setattr(log_export, "write_rows", crashing(log_export.write_rows))
    return calls


@pytest.mark.slow
def test_a_crash_at_any_change_of_a_file_neither_loses_nor_repeats_a_record(tmp_path):
    records = [log_record(number * 300) for number in range(20)]
    wanted = sorted((one.partition, one.offset) for one in records)
    number, crashes = 0, 0
    while True:
        number += 1
        folder = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, number)
            try:
                export_all(folder, records, rows=10)
            except Crash:
                crashes += 1
            else:
                break
        with_crash = positions(folder) if list(folder.glob("day=*")) else []
        assert len(set(with_crash)) == len(with_crash), "no reader sees a record twice"
        export_all(folder, records, rows=10)
        assert positions(folder) == wanted
        assert not (folder / STAGING).exists() or not list((folder / STAGING).rglob("*.parquet"))
    assert crashes > 30


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_exports_each_record_once(tmp_path):
    rng, count, kills = random.Random(5), 3 * POLL_RECORDS, 0
    command = [
        sys.executable, "-m", "tests.modstream.operations.inference_log.log_records",
        str(tmp_path), str(count), "100",
    ]  # fmt: skip
    commit = tmp_path / COMMIT
    while True:
        before = commit.stat().st_mtime_ns if commit.exists() else 0
        process = subprocess.Popen(command, cwd=Path(__file__).parents[4])
        while (
            process.poll() is None
            and (commit.stat().st_mtime_ns if commit.exists() else 0) == before
        ):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        kills += 1
    assert kills >= 2
    assert positions(tmp_path) == expected(count)


def test_a_folder_of_another_topic_is_refused(tmp_path):
    with pytest.raises(LogFolderUnusable, match="it has the log of other"):
        check_continuation(LogFolder(tmp_path), LogCommit("other"), TOPIC, {}, {})


def test_a_topic_that_was_created_anew_is_refused(tmp_path):
    commit = LogCommit(TOPIC, {0: 50})

    with pytest.raises(LogFolderUnusable, match="created anew"):
        check_continuation(LogFolder(tmp_path), commit, TOPIC, {}, {TopicPartition(TOPIC, 0): 10})


def test_offsets_that_expired_before_the_export_are_counted(tmp_path):
    partition = TopicPartition(TOPIC, 0)

    found = check_continuation(
        LogFolder(tmp_path), LogCommit(TOPIC, {0: 50}), TOPIC, {partition: 70}, {partition: 90}
    )

    assert found == 20


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(LogFolderUnusable, match="file"):
        export_all(tmp_path / "file", [log_record(0)])


def test_a_commit_that_is_damaged_is_an_error(tmp_path):
    (tmp_path / COMMIT).write_text('{"topic": 3}')

    with pytest.raises(LogFolderUnusable, match=COMMIT):
        export_all(tmp_path, [log_record(0)])


def test_what_is_in_memory_is_bounded(tmp_path):
    """A file is written as soon as there are enough rows, whatever follows."""
    report = export_all(tmp_path, [log_record(number) for number in range(10_000)], rows=2_000)

    assert report.commits == 5
