"""The joiner's order of work, at doors that write down who passes."""

import asyncio
import json

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label, Prediction, Source
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.processors.join.joiner import Chunk, Joiner, JoinerSettings

TOPICS = Topics("flights")
CHANGELOG = "changelog"
NOW = 1_700_000_000_000
PREDICTIONS = TopicPartition(TOPICS.predictions, 0)
LABELS = TopicPartition(TOPICS.labels, 0)
SOURCE = Source(topic=TOPICS.requests, partition=0, offset=0)


class Doors:
    """Doors to topics in memory; a topic in `shut` fails."""

    def __init__(self):
        self.sent = []
        self.ended = set()
        self.held = set()
        self.shut = set()
        self.positions = []

    async def send_rows(self, topic, partition, rows):
        if topic in self.shut:
            raise OSError(topic)
        await asyncio.sleep(0)
        self.sent.append((topic, partition, list(rows)))

    def at_end(self, tp):
        return tp in self.ended

    def hold(self, tp, *, back):
        (self.held.add if back else self.held.discard)(tp)

    def topics(self):
        return [topic for topic, _, _ in self.sent]


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def joiner(doors):
    joiner = Joiner(TOPICS, JoinerSettings(idle_seconds=0), CHANGELOG, doors)
    joiner.own({0})
    joiner.resume()
    return joiner


def predictions(*names, start=None, offset=0, at=0):
    messages = [
        Prediction(id=n, model="m", version=1, outputs={"p": 1}, event_time=at, source=SOURCE)
        for n in names
    ]
    return chunk(PREDICTIONS, messages, start, offset)


def labels(*names, start=None, offset=0, at=0):
    return chunk(LABELS, [Label(id=n, label=True, event_time=at) for n in names], start, offset)


def chunk(tp, messages, start, offset):
    records = [
        Record(*tp, offset + i, b"key", encode(m), timestamp=NOW) for i, m in enumerate(messages)
    ]
    return Chunk(start, offset + len(records), records)


def take(joiner, tp, *chunks):
    async def all_of_them():
        for one in chunks:
            await joiner.take(tp, one)

    asyncio.run(all_of_them())


def test_what_came_of_a_batch_is_acknowledged_before_the_changelog_is_written(joiner, doors):
    take(joiner, PREDICTIONS, predictions("a", "b"))
    doors.sent.clear()

    take(joiner, LABELS, labels("a", "b", "b"))

    assert set(doors.topics()[:2]) == {TOPICS.feedback, TOPICS.unjoined}
    assert doors.topics()[2:] == [CHANGELOG]


def test_a_batch_that_cannot_be_published_leaves_changelog_and_positions_alone(joiner, doors):
    take(joiner, PREDICTIONS, predictions("a"))
    doors.sent.clear()
    doors.shut.add(TOPICS.feedback)

    with pytest.raises(OSError, match="feedback"):
        take(joiner, LABELS, labels("a"))

    assert doors.sent == []
    assert joiner.positions == {PREDICTIONS: 1}


def test_a_batch_whose_rows_are_not_written_does_not_move_the_positions(joiner, doors):
    doors.shut.add(CHANGELOG)

    with pytest.raises(OSError, match="changelog"):
        take(joiner, PREDICTIONS, predictions("a"))

    assert joiner.positions == {}


def test_records_behind_a_hole_are_not_taken(joiner):
    take(joiner, PREDICTIONS, predictions("a"))

    take(joiner, PREDICTIONS, predictions("c", start=2, offset=2))

    assert joiner.positions == {PREDICTIONS: 1}
    assert set(joiner.partitions[0].entries) == {"a"}


def test_a_hole_at_the_very_beginning_is_noticed(joiner):
    take(joiner, PREDICTIONS, predictions("b", start=1, offset=1))

    assert joiner.positions == {}


def test_records_that_were_read_again_are_skipped_and_those_behind_them_taken(joiner):
    take(joiner, PREDICTIONS, predictions("a"))

    take(joiner, PREDICTIONS, predictions("a", "b", start=0))

    assert joiner.positions == {PREDICTIONS: 2}
    assert joiner.partitions[0].ledger.counts == {"replayed": 1}


def test_a_suspended_joiner_takes_nothing_until_it_resumes(joiner, doors):
    asyncio.run(joiner.suspend())

    take(joiner, PREDICTIONS, predictions("a"))
    asyncio.run(joiner.sweep())

    assert doors.sent == []


def test_a_partition_that_went_away_is_forgotten_and_one_that_stayed_is_kept(joiner):
    joiner.own({0, 1})
    take(joiner, PREDICTIONS, predictions("a"))

    joiner.own({0})
    kept = set(joiner.partitions[0].entries)
    joiner.own({1})
    joiner.resume()

    assert kept == {"a"}
    assert set(joiner.partitions) == {1}
    assert joiner.positions == {}


def test_a_joiner_restored_from_the_changelog_begins_where_the_ledger_says(joiner, doors):
    take(joiner, PREDICTIONS, predictions("a", "b"))
    _, number, rows = doors.sent[-1]
    restored = Joiner(TOPICS, JoinerSettings(), CHANGELOG, Doors())
    restored.own({0})

    restored.restore(number, [Record(CHANGELOG, 0, i, *row) for i, row in enumerate(rows)])
    restored.resume()

    assert restored.positions == {PREDICTIONS: 2}
    assert restored.partitions[0].entries == joiner.partitions[0].entries


def test_an_input_that_runs_ahead_is_held_back_while_the_other_has_more_to_come(joiner, doors):
    take(joiner, PREDICTIONS, predictions("a", at=10**9))
    held = set(doors.held)
    doors.ended.add(LABELS)
    asyncio.run(joiner.sweep())

    assert held == {PREDICTIONS}
    assert doors.held == set()


def test_time_passes_for_a_label_whose_predictions_ended(joiner, doors):
    hour = 3600 * 1000
    take(joiner, LABELS, labels("a", at=0), labels("b", at=50 * hour, start=1, offset=1))
    asyncio.run(joiner.sweep())
    before = doors.topics()

    doors.ended |= {PREDICTIONS, LABELS}
    asyncio.run(joiner.sweep())

    unjoined = [rows for topic, _, rows in doors.sent if topic == TOPICS.unjoined]
    [[(key, value)]] = unjoined
    assert TOPICS.unjoined not in before
    assert (key, json.loads(value)["reason"]) == (b"key", "orphan")
    assert doors.topics()[-1] == TOPICS.metrics


def test_counters_are_published_when_they_moved_and_not_again(joiner, doors):
    take(joiner, PREDICTIONS, predictions("a", "b"))
    take(joiner, LABELS, labels("a"))

    asyncio.run(joiner.sweep())
    asyncio.run(joiner.sweep())

    published = [rows for topic, _, rows in doors.sent if topic == TOPICS.metrics]
    [[(key, value), (_, delays), (_, coverage)]] = published
    metrics = json.loads(value)
    assert (json.loads(delays)["kind"], json.loads(delays)["values"]) == ("label_delay", {"0": 1})
    assert json.loads(coverage)["values"]["coverage"] == 0.5
    assert key == b"joiner"
    assert (metrics["kind"], metrics["values"]["joined"], metrics["values"]["open"]) == (
        "joiner", 1, 1,
    )  # fmt: skip
    assert metrics["offsets"] == {"flights.predictions:0": 2, "flights.labels:0": 1}
