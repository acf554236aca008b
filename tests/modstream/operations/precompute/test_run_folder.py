"""A run's folder: its plan and its checkpoint are kept, and one process holds it."""

from dataclasses import replace

import pytest

from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.errors import RunChanged, SlotTaken
from modstream.operations.precompute.begin import WantedRun, begin_run
from modstream.operations.precompute.run_folder import Checkpoint, RunFolder
from modstream.operations.precompute.source_rows import SourceRow, read_copy
from modstream.processors.precompute.run_progress import RunProgress

TOPICS = Topics("flights", "t.")
WANTED = WantedRun("m", "champion", "rows.csv", "id", fingerprint="1-2")


class Ends:
    """The offsets at which all topics end."""

    def __init__(self, end):
        self.end = end

    def end_offsets(self, topics, *, committed=False):
        assert committed
        return {TopicPartition(topic, 0): self.end for topic in topics}


@pytest.fixture
def folder(tmp_path):
    return RunFolder.of(tmp_path, "t.flights.precompute", "nightly")


def test_a_checkpoint_is_read_as_it_was_written(folder):
    progress = RunProgress(5, {3: 1}, {4: 2}, {1: 2, 7: 1}, {"wrong_type": 1})
    written = Checkpoint({"a:0": 4}, {"b:0": 5}, progress)
    folder.write_checkpoint(written)

    assert folder.read_checkpoint() == written


def test_a_run_begins_at_the_ends_of_its_topics_and_continues_with_the_same_ids(folder):
    first = begin_run(folder, Ends(17), TOPICS, WANTED)
    again = begin_run(folder, Ends(99), TOPICS, WANTED)

    assert (first.is_new, again.is_new) == (True, False)
    assert first.plan == again.plan
    assert first.plan.requests == {"t.flights.requests:0": 17}
    assert sorted(first.plan.responses) == ["t.flights.dlq:0", "t.flights.predictions:0"]


@pytest.mark.parametrize("changed", ["model", "version", "source", "key", "fingerprint"])
def test_an_unfinished_run_is_not_continued_as_another_one(folder, changed):
    begin_run(folder, Ends(1), TOPICS, WANTED)

    with pytest.raises(RunChanged, match="the unfinished run nightly has another"):
        begin_run(folder, Ends(1), TOPICS, replace(WANTED, **{changed: "other"}))


def test_a_complete_run_is_complete_whatever_its_file_has_become(folder):
    begin_run(folder, Ends(1), TOPICS, WANTED)
    folder.write_checkpoint(Checkpoint({}, {}, is_complete=True))

    assert begin_run(folder, Ends(1), TOPICS, replace(WANTED, fingerprint="3-4")).is_complete


def test_a_removed_run_begins_anew_with_other_ids(folder):
    first = begin_run(folder, Ends(1), TOPICS, WANTED)
    folder.remove()

    assert begin_run(folder, Ends(1), TOPICS, WANTED).plan.ids != first.plan.ids


def test_a_source_that_may_change_is_copied_once(folder):
    readings = []

    def read():
        readings.append(1)
        yield SourceRow("a", {"x": 1.0})

    wanted = replace(WANTED, copied=read)
    for _ in range(2):
        begin_run(folder, Ends(1), TOPICS, wanted)

    assert len(readings) == 1
    assert list(read_copy(folder.rows)) == [SourceRow("a", {"x": 1.0})]


def test_a_run_is_held_by_one_process(folder):
    with (
        folder.locked(),
        pytest.raises(SlotTaken, match="the precompute run nightly runs already"),
        folder.locked(),
    ):
        pass


def test_runs_of_another_source_have_another_name():
    names = [
        WANTED.default_name(),
        replace(WANTED, source="other.csv").default_name(),
        replace(WANTED, key="k").default_name(),
        replace(WANTED, version=3).default_name(),
        replace(WANTED, model="n").default_name(),
    ]

    assert len(set(names)) == 5
    assert WANTED.default_name() == names[0]
