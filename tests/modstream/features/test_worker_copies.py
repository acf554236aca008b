"""A worker's copies of features: what a batch sees, while records arrive in another thread."""

import pytest

from modstream.features import copy_on_disk
from modstream.features.copy_on_disk import CopyOnDisk
from modstream.features.definitions import Definitions
from modstream.features.recovery import feature_partition
from modstream.features.worker_copies import CopyInMemory
from modstream.processors.aggregate.disk.open_table import open_table
from modstream.processors.aggregate.disk.rows import ByGroup
from modstream.processors.errors import StateUnusable
from modstream.processors.features.row_origin import RowOrigins
from tests.processors.aggregate.feature_log import TOPICS, Log
from tests.processors.aggregate.records import request

DEFINITIONS = b"""
[[features]]
name = "asked"
source = "requests"
group = ["airport"]
window = "1h"
aggregate = "count"
"""


@pytest.fixture
def log():
    """Return a topic with the updates of ten requests, each in a batch of its own."""
    found = Log(DEFINITIONS)
    handler = found.handler()
    for offset in range(10):
        found.commit(handler([request(offset, "AB"[offset % 2])]).records)
    return found


@pytest.fixture(params=["memory", "disk"])
def copy(request, log, tmp_path):
    if request.param == "memory":
        yield CopyInMemory(TOPICS.features)
        return
    opened = CopyOnDisk(
        TOPICS.features, lambda: open_table(tmp_path / "copy", ByGroup(), log.topic_state())
    )
    yield opened
    opened.close()


def asked(features):
    """Return the numbers of requests of both airports, and the position."""
    rows = features.of_rows(
        ("asked",), [{"airport": "A"}, {"airport": "B"}], RowOrigins([0, 0], lambda: [b"k", b"k"])
    )
    return [row["asked"] for row in rows], features.offset


def serve(copy, log, records):
    copy.begin(Definitions(1, log.features))
    copy.load(records)
    copy.serve()


def test_values_change_between_batches_only(copy, log):
    assert copy.features() is None
    serve(copy, log, log.records[:4])
    batch = copy.features()

    copy.take(log.records[4:8])
    assert asked(batch) == ([1, 1], 4)
    assert asked(copy.features()) == ([2, 2], 8)
    copy.take(log.records[8:])
    assert asked(copy.features()) == ([5, 5], 20)


def test_updates_that_come_faster_than_batches_are_read_from_disk(copy, log, monkeypatch):
    monkeypatch.setattr(copy_on_disk, "MAX_PENDING", 3)
    serve(copy, log, log.records[:4])
    assert asked(copy.features())[0] == [1, 1]
    for record in log.records[4:]:
        copy.take([record])

    assert asked(copy.features()) == ([5, 5], 20)


def test_other_definitions_are_served_from_the_next_batch_on(copy, log):
    serve(copy, log, log.records[:8])
    first = copy.features()
    start = copy.begin(Definitions(2, log.features))
    assert asked(copy.features())[0] == asked(first)[0] == [2, 2]
    if start == "beginning":
        copy.load(log.records[:8])
    else:
        assert start == {feature_partition(TOPICS.features): 8}
    copy.load(log.records[8:])
    copy.serve()

    assert asked(copy.features()) == ([5, 5], 20)
    copy.drop()
    assert copy.features() is None


def test_a_folder_that_cannot_be_written_ends_the_worker(log, tmp_path):
    (tmp_path / "file").write_text("")
    opened = CopyOnDisk(
        TOPICS.features, lambda: open_table(tmp_path / "file/copy", ByGroup(), log.topic_state())
    )
    with pytest.raises(StateUnusable, match="Nothing is lost"):
        opened.begin(Definitions(1, log.features))
    with pytest.raises(StateUnusable, match="Nothing is lost"):
        opened.features()


def test_what_was_served_is_there_after_a_restart(log, tmp_path):
    for start in (0, 20):
        opened = CopyOnDisk(
            TOPICS.features, lambda: open_table(tmp_path / "copy", ByGroup(), log.topic_state())
        )
        found = opened.begin(Definitions(1, log.features))
        assert found == {feature_partition(TOPICS.features): start}
        opened.load(log.records[start:])
        opened.serve()
        assert asked(opened.features()) == ([5, 5], 20)
        assert opened.size.estimated_bytes > 0
        opened.close()
