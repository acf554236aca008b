"""The rows of a person, or of old days, leave the exported log; nothing else does."""

import pytest

from modstream.errors import LogFolderUnusable
from modstream.operations.inference_log import erasures
from modstream.operations.inference_log.erasures import erase, expire
from modstream.operations.inference_log.log_folder import ERASURES, STAGING, LogFolder
from tests.modstream.operations.inference_log.log_records import (
    MINUTE,
    START,
    export_all,
    log_record,
)
from tests.modstream.operations.inference_log.test_log_export import read

LATER = START + 10**9
RECORDS = [log_record(number) for number in range(3000)]


@pytest.fixture
def folder(tmp_path):
    export_all(tmp_path, RECORDS)
    return LogFolder(tmp_path)


def ids(folder):
    return {row["id"] for row in read(folder.path)}


def test_all_rows_of_a_key_are_erased_and_no_others(folder):
    whole = len(read(folder.path))

    changed = erase(folder, {"key": ["k3"]}, LATER)

    left = read(folder.path)
    assert sum(one.removed for one in changed) == 300
    assert all(one.kept for one in changed)
    assert len(left) == whole - 300
    assert {row["key"] for row in left} == {f"k{n}" for n in range(10)} - {"k3"}
    assert {one.file for one in changed} <= {
        str(one.relative_to(folder.path)) for one in folder.data_files()
    }


def test_keys_and_ids_are_erased_together(folder):
    changed = erase(folder, {"key": ["k3"], "id": ["r3", "r4"]}, LATER)

    assert sum(one.removed for one in changed) == 301
    assert len({one.file for one in changed}) == len(changed)


def test_erasing_an_id_changes_one_file(folder):
    (changed,) = erase(folder, {"id": ["r7", "unknown"]}, LATER)

    assert changed.removed == 1
    assert "r7" not in ids(folder)
    assert erase(folder, {"id": ["r7"]}, LATER) == []


def test_a_file_without_rows_is_removed(tmp_path):
    export_all(tmp_path, [log_record(0), log_record(1)])

    (changed,) = erase(LogFolder(tmp_path), {"id": ["r0"]}, LATER)

    assert (changed.removed, changed.kept) == (1, 0)
    assert len(LogFolder(tmp_path).data_files()) == 1


def test_records_that_are_still_in_the_topic_are_not_exported_later(tmp_path):
    export_all(tmp_path, RECORDS[:10])
    folder = LogFolder(tmp_path)

    erase(folder, {"key": ["k3"]}, START + 100 * MINUTE)
    report = export_all(tmp_path, RECORDS[:200])

    left = [row for row in read(tmp_path) if row["key"] == "k3"]
    assert report.erased == 9
    assert {row["id"] for row in left} == {f"r{n}" for n in range(103, 200, 10)}
    assert "k3" not in (tmp_path / ERASURES).read_text()


def test_an_erasure_that_is_interrupted_is_completed_by_the_next_call(folder, monkeypatch):
    replaced = []

    class Crash(BaseException):
        pass

    def replace_once(self, file, staged):
        if replaced:
            raise Crash
        replaced.append(file)
        original(self, file, staged)

    original = LogFolder.replace
    with monkeypatch.context() as patch:
        patch.setattr(LogFolder, "replace", replace_once)
        with pytest.raises(Crash):
            erase(folder, {"key": ["k3"]}, LATER)
    assert len(ids(folder)) < 3000

    erase(folder, {"key": ["k3"]}, LATER)

    assert len(ids(folder)) == 2700
    export_all(folder.path, RECORDS)
    assert len(read(folder.path)) == 2700
    assert list((folder.path / STAGING).rglob("*.parquet")) == []


def test_days_before_a_date_are_removed(folder):
    removed = expire(folder, "2023-11-16")

    left = read(folder.path)
    assert {row["day"] for row in left} == {"2023-11-16", "2023-11-17"}
    assert sum(one.removed for one in removed) == 3000 - len(left)
    assert {one.file.split("/")[0] for one in removed} == {"day=2023-11-14", "day=2023-11-15"}
    assert export_all(folder.path, RECORDS).requests == 0, "an export does not bring them back"


def test_a_file_that_is_not_parquet_is_an_error(folder):
    folder.data_files()[0].write_bytes(b"nothing")

    with pytest.raises(LogFolderUnusable, match="cannot be used"):
        erase(folder, {"key": ["k3"]}, LATER)
    with pytest.raises(LogFolderUnusable, match="cannot be used"):
        expire(folder, "2030-01-01")


def test_erasures_that_cannot_be_read_stop_the_export(folder):
    (folder.path / ERASURES).write_text("[]")

    with pytest.raises(LogFolderUnusable, match=ERASURES):
        export_all(folder.path, [log_record(4000)])
    assert erasures.Erasures({}).include("a", "b", 0) is False
