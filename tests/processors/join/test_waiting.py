"""Labels that wait for their prediction are noticed within seconds."""

import json

import pytest
from structlog.testing import capture_logs

from modstream.broker.wire.codec import encode
from modstream.broker.wire.records import Record
from modstream.processors.join.faust.waiting_log import REPEAT_S, WaitingLabelsLog
from modstream.processors.join.metrics import join_metrics
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.waiting import PATIENCE_S, WaitingLabels, WaitingLabelsMonitor
from tests.processors.join.join_log import HORIZON, OUT_OF_ORDERNESS, TOPICS, label, prediction

START = 1000.0
LATER = START + PATIENCE_S


def record(topic, message, key, offset=0):
    return Record(topic, 0, offset, key, encode(message), (), 0)


class Partitions(dict):
    """Joins of several partitions, by number."""

    def __init__(self, count):
        numbers = range(count)
        super().__init__((n, PartitionJoin(TOPICS, HORIZON, OUT_OF_ORDERNESS)) for n in numbers)

    def add(self, number, message, key):
        is_label = hasattr(message, "label")
        topic = TOPICS.labels if is_label else TOPICS.predictions
        offset = self[number].state.inputs[topic].position or 0
        self[number].process(topic, offset + 1, [record(topic, message, key, offset)])


@pytest.fixture
def partitions():
    return Partitions(2)


@pytest.fixture
def monitor():
    return WaitingLabelsMonitor()


def test_label_that_waits_for_seconds_is_found_with_its_key(partitions, monitor):
    partitions.add(1, label("a"), b"k")

    at_once = monitor.find(partitions, [0, 1], START)
    found = monitor.find(partitions, [0, 1], LATER)

    assert at_once is None
    assert found[:4] == (1, "a", "k", 1)
    assert "no request with this id and key has been answered" in found.reason
    assert str(found).startswith("1 label waits for a prediction, such as that of a: ")


def test_other_key_of_the_request_is_named_as_the_reason(partitions, monitor):
    partitions.add(0, prediction("a"), b"customer 7")
    partitions.add(1, label("a"), b"a")

    monitor.find(partitions, [0, 1], START)
    found = monitor.find(partitions, [0, 1], LATER)

    assert found.reason == (
        "its key is a, and that of its request customer 7; send a label with the key of its request"
    )


def test_other_partition_of_the_prediction_is_named_as_the_reason(partitions, monitor):
    """So it is where the joiner may not forward labels."""
    partitions.add(0, prediction("a"), b"k")
    partitions.add(1, label("a"), b"k")

    monitor.find(partitions, [0, 1], START)
    found = monitor.find(partitions, [0, 1], LATER)

    assert found.reason == (
        "it was sent to another partition than its prediction, which is in 0; let the client that"
        " sends labels use the partitioner murmur2"
    )


def test_labels_that_are_joined_in_time_are_never_found(partitions, monitor):
    for number in range(20):
        partitions.add(0, label(f"r{number}"), b"k")
        assert monitor.find(partitions, [0, 1], START + number * PATIENCE_S / 2) is None
        partitions.add(0, prediction(f"r{number}"), b"k")


def test_label_beside_unread_predictions_may_wait(partitions, monitor):
    partitions.add(0, label("a"), b"k")

    monitor.find(partitions, [], START)

    assert monitor.find(partitions, [1], LATER) is None
    assert monitor.find(partitions, [0], LATER).request_id == "a"


def test_texts_of_strangers_are_printable_and_short(partitions, monitor):
    partitions.add(0, label("\x1b[2J"), bytes(range(256)))

    monitor.find(partitions, [0], START)
    found = monitor.find(partitions, [0], LATER)

    assert found.request_id == r"\x1b[2J"
    assert found.key.isprintable()
    assert len(found.key) < 1000


def test_metrics_count_waiting_labels_at_once(partitions):
    def waiting():
        return next(join_metrics(partitions.values(), {})).values["waiting"]

    for number, name in enumerate("abc"):
        partitions.add(number % 2, label(name), b"k")
    before = waiting()
    partitions.add(0, prediction("a"), b"k")

    assert (before, waiting()) == (3, 2)


def labels_waiting(count):
    return WaitingLabels(count, "a", "k", 0, "no reason")


def test_log_warns_once_and_again_when_twice_as_many_wait():
    log = WaitingLabelsLog()

    with capture_logs() as lines:
        for now, count in enumerate([3, 3, 4, 5, 6, 11, 12]):
            log.note(labels_waiting(count), START + now)
        log.note(None, START)

    assert [line["waiting"] for line in lines] == [3, 6, 12]
    assert lines[0] == {
        "event": "labels wait for their prediction", "log_level": "warning", "waiting": 3,
        "example": "a", "key": "k", "partition": 0, "reason": "no reason",
    }  # fmt: skip


def test_log_warns_again_after_an_hour():
    log = WaitingLabelsLog()

    with capture_logs() as lines:
        log.note(labels_waiting(5), START)
        log.note(labels_waiting(1), START + REPEAT_S)

    assert [line["waiting"] for line in lines] == [5, 1]


def test_restored_label_waits_on(partitions, monitor):
    join = PartitionJoin(TOPICS, HORIZON, OUT_OF_ORDERNESS)
    output = join.process(TOPICS.labels, 1, [record(TOPICS.labels, label("a"), b"k")])
    for row in output.changelog_rows:
        partitions[0].restore(*row)

    monitor.find(partitions, [0], START)

    assert monitor.find(partitions, [0], LATER).waiting == 1
    assert json.loads(dict(output.changelog_rows)[b"a"])["id"] == "a"
