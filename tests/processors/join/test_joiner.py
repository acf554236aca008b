"""The order in which the joiner makes its results durable, with Kafka replaced by a recorder."""

import asyncio
import json

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label, Prediction, SourcePosition
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.join import joiner as joiner_module
from modstream.processors.join.joiner import FetchedChunk, Joiner
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.join.waiting import PATIENCE_S

TOPICS = Topics("flights")
CHANGELOG = "changelog"
NOW = 1_700_000_000_000
PREDICTIONS = TopicPartition(TOPICS.predictions, 0)
LABELS = TopicPartition(TOPICS.labels, 0)
SOURCE = SourcePosition(topic=TOPICS.requests, partition=0, offset=0)


class RecordingIO:
    """Records all sends; sending to a topic in `failing` raises."""

    def __init__(self):
        self.sent = []
        self.ended = set()
        self.paused = set()
        self.failing = set()

    async def send_rows(self, topic, partition, rows):
        if topic in self.failing:
            raise OSError(topic)
        await asyncio.sleep(0)
        self.sent.append((topic, partition, list(rows)))

    async def send_records(self, topic, partition, records):
        await self.send_rows(topic, partition, [record[1:4] for record in records])

    def at_end(self, tp):
        return tp in self.ended

    def set_paused(self, tp, *, is_paused):
        (self.paused.add if is_paused else self.paused.discard)(tp)

    def topics(self):
        return [topic for topic, _, _ in self.sent]


@pytest.fixture
def io():
    return RecordingIO()


@pytest.fixture
def joiner(io):
    joiner = Joiner(TOPICS, JoinerSettings(idle_seconds=0, partitions=1), CHANGELOG, io)
    joiner.assign({0})
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


def labels_record(tp, name):
    return Record(*tp, 0, b"key", encode(Label(id=name, label=True, event_time=0)), (), NOW)


def chunk(tp, messages, start, offset):
    records = [
        Record(*tp, offset + i, b"key", encode(m), timestamp=NOW) for i, m in enumerate(messages)
    ]
    return FetchedChunk(start, offset + len(records), records)


def process(joiner, tp, *chunks):
    async def process_all():
        for fetched in chunks:
            await joiner.process(tp, fetched)

    asyncio.run(process_all())


def test_outputs_of_a_batch_are_acknowledged_before_the_changelog_is_written(joiner, io):
    process(joiner, PREDICTIONS, predictions("a", "b"))
    io.sent.clear()

    process(joiner, LABELS, labels("a", "b", "b"))

    assert set(io.topics()[:2]) == {TOPICS.feedback, TOPICS.unjoined}
    assert io.topics()[2:] == [CHANGELOG]


def test_batch_that_cannot_be_published_changes_neither_changelog_nor_positions(joiner, io):
    process(joiner, PREDICTIONS, predictions("a"))
    io.sent.clear()
    io.failing.add(TOPICS.feedback)

    with pytest.raises(OSError, match="feedback"):
        process(joiner, LABELS, labels("a"))

    assert io.sent == []
    assert joiner.durable_positions() == {PREDICTIONS: 1}


def test_batch_whose_rows_are_not_written_does_not_advance_the_positions(joiner, io):
    io.failing.add(CHANGELOG)

    with pytest.raises(OSError, match="changelog"):
        process(joiner, PREDICTIONS, predictions("a"))

    assert joiner.durable_positions() == {}


def test_records_after_a_gap_are_not_processed(joiner):
    process(joiner, PREDICTIONS, predictions("a"))

    process(joiner, PREDICTIONS, predictions("c", start=2, offset=2))

    assert joiner.durable_positions() == {PREDICTIONS: 1}
    assert set(joiner.partitions[0].entries) == {"a"}


def test_gap_at_the_start_is_noticed(joiner):
    process(joiner, PREDICTIONS, predictions("b", start=1, offset=1))

    assert joiner.durable_positions() == {}


def test_records_read_again_are_skipped_and_later_ones_processed(joiner):
    process(joiner, PREDICTIONS, predictions("a"))

    process(joiner, PREDICTIONS, predictions("a", "b", start=0))

    assert joiner.durable_positions() == {PREDICTIONS: 2}
    assert joiner.partitions[0].state.counts == {"replayed": 1}


def test_suspended_joiner_processes_nothing(joiner, io):
    asyncio.run(joiner.suspend())

    process(joiner, PREDICTIONS, predictions("a"))
    asyncio.run(joiner.advance_time())

    assert io.sent == []


def test_revoked_partition_is_dropped_and_retained_partition_is_kept(joiner):
    joiner.assign({0, 1})
    process(joiner, PREDICTIONS, predictions("a"))

    joiner.assign({0})
    kept = set(joiner.partitions[0].entries)
    joiner.assign({1})
    joiner.resume()

    assert kept == {"a"}
    assert set(joiner.partitions) == {1}
    assert joiner.durable_positions() == {}


def test_restored_joiner_starts_at_the_positions_of_the_changelog(joiner, io):
    process(joiner, PREDICTIONS, predictions("a", "b"))
    _, number, rows = io.sent[-1]
    restored = Joiner(TOPICS, JoinerSettings(), CHANGELOG, RecordingIO())
    restored.assign({0})

    restored.restore(number, [Record(CHANGELOG, 0, i, *row) for i, row in enumerate(rows)])
    restored.resume()

    assert restored.durable_positions() == {PREDICTIONS: 2}
    assert restored.partitions[0].entries == joiner.partitions[0].entries


def test_input_that_is_ahead_is_paused_while_the_other_has_more_records(joiner, io):
    process(joiner, PREDICTIONS, predictions("a", at=10**9))
    paused = set(io.paused)
    io.ended.add(LABELS)
    asyncio.run(joiner.advance_time())

    assert paused == {PREDICTIONS}
    assert io.paused == set()


def test_event_time_advances_for_labels_when_the_predictions_are_finished(joiner, io):
    hour = 3600 * 1000
    process(joiner, LABELS, labels("a", at=0), labels("b", at=50 * hour, start=1, offset=1))
    asyncio.run(joiner.advance_time())
    before = io.topics()

    io.ended |= {PREDICTIONS, LABELS}
    asyncio.run(joiner.advance_time())

    unjoined = [rows for topic, _, rows in io.sent if topic == TOPICS.unjoined]
    [[(key, value)]] = unjoined
    assert TOPICS.unjoined not in before
    assert (key, json.loads(value)["reason"]) == (b"key", "orphan")
    assert io.topics()[-1] == TOPICS.metrics


def test_label_is_sent_to_the_partition_of_its_key_before_the_changelog_is_written(io):
    joiner = Joiner(TOPICS, JoinerSettings(partitions=3), CHANGELOG, io)
    joiner.assign({0, 1, 2})
    joiner.resume()
    home = partition_for_key(b"key", 3)
    elsewhere = TopicPartition(TOPICS.labels, (home + 1) % 3)

    process(joiner, elsewhere, labels("a")._replace(records=[labels_record(elsewhere, "a")]))

    (topic, partition, [(key, value, headers)]), changelog = io.sent
    assert (topic, partition, key) == (TOPICS.labels, home, b"key")
    assert json.loads(value)["id"] == "a"
    assert headers == ((Header.FORWARDED_FROM, f"{elsewhere}:0".encode()),)
    assert changelog[0] == CHANGELOG
    assert joiner.durable_positions() == {elsewhere: 1}


def test_no_label_is_sent_on_if_the_settings_say_so(io):
    joiner = Joiner(TOPICS, JoinerSettings(partitions=3, forward_labels=False), CHANGELOG, io)
    joiner.assign({0, 1, 2})
    joiner.resume()
    elsewhere = TopicPartition(TOPICS.labels, (partition_for_key(b"key", 3) + 1) % 3)

    process(joiner, elsewhere, labels("a")._replace(records=[labels_record(elsewhere, "a")]))

    assert io.topics() == [CHANGELOG]


def test_label_that_waits_too_long_is_known_to_the_joiner(joiner, io, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(joiner_module, "monotonic", lambda: clock[0])
    process(joiner, LABELS, labels("a"))
    io.ended.add(PREDICTIONS)
    asyncio.run(joiner.advance_time())
    before = joiner.waiting_labels

    clock[0] = PATIENCE_S
    asyncio.run(joiner.advance_time())

    assert before is None
    assert joiner.waiting_labels.request_id == "a"


def test_metrics_are_published_once_when_they_change(joiner, io):
    process(joiner, PREDICTIONS, predictions("a", "b"))
    process(joiner, LABELS, labels("a"))

    asyncio.run(joiner.advance_time())
    asyncio.run(joiner.advance_time())

    published = [rows for topic, _, rows in io.sent if topic == TOPICS.metrics]
    [[(key, value), (_, delays), (_, coverage)]] = published
    metrics = json.loads(value)
    assert (json.loads(delays)["kind"], json.loads(delays)["values"]) == ("label_delay", {"0": 1})
    assert json.loads(coverage)["values"]["coverage"] == 0.5
    assert key == b"joiner"
    assert (metrics["kind"], metrics["values"]["joined"], metrics["values"]["open"]) == (
        "joiner", 1, 1,
    )  # fmt: skip
    assert metrics["offsets"] == {"flights.predictions:0": 2, "flights.labels:0": 1}
