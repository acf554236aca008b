"""A partition that the client stops fetching, or never fetches, is detected and read."""

import pytest
from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition as KafkaPartition
from structlog.testing import capture_logs

from modstream.broker.client import offset_resolver
from modstream.broker.client import reader as reader_module
from modstream.broker.client.admin import Admin
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.reader import Reader
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.wire.topics import TopicSpec
from tests.sample_records import publish

pytestmark = pytest.mark.real
PARTITIONS = 4
CHECKS = 3


@pytest.fixture(autouse=True)
def frequent_checks(monkeypatch):
    monkeypatch.setattr(reader_module, "STALL_CHECK_INTERVAL_S", 1.0)
    monkeypatch.setattr(offset_resolver, "IDLE_CHECK_INTERVAL_S", 1.0)


@pytest.fixture
def topic(connection, prefix):
    name = f"{prefix}words"
    Admin(connection).create([TopicSpec(name, PARTITIONS)])
    return name


def read_values(reader, count):
    """Read that many values, or fewer if they do not arrive."""
    found = []
    for _ in range(200):
        found.extend(record.value for record in reader.poll())
        if len(found) >= count:
            return found
    return found


def poll_through_checks(reader):
    """Poll until the reader has checked for stalled partitions several times."""
    found, last = [], reader._next_check + CHECKS * reader_module.STALL_CHECK_INTERVAL_S
    for _ in range(1000):
        found.extend(record.value for record in reader.poll(0.01))
        if reader._next_check > last:
            return found
    raise AssertionError("the reader does not check")


def words(begin, end):
    return [b"%d" % number for number in range(begin, end)]


def test_a_stalled_partition_is_read_on_without_loss_or_repetition(connection, topic):
    publish(connection, topic, words(0, 40))
    with Reader(connection, [topic]) as reader, capture_logs() as logs:
        assert sorted(read_values(reader, 40)) == sorted(words(0, 40))
        reader._consumer.pause([KafkaPartition(*one) for one in reader.partitions[:2]])
        publish(connection, topic, words(40, 80))

        assert sorted(read_values(reader, 40)) == sorted(words(40, 80))
        assert poll_through_checks(reader) == []

    stalled = [entry["partitions"] for entry in logs if entry["event"] == "partitions stalled"]
    assert stalled == [[f"{topic}:0", f"{topic}:1"]]


def test_a_partition_that_never_returned_a_record_is_read_from_its_beginning(connection, topic):
    publish(connection, topic, words(0, 40))
    with Reader(connection, [topic]) as reader:
        reader._consumer.pause([KafkaPartition(*one) for one in reader.partitions])

        assert sorted(read_values(reader, 40)) == sorted(words(0, 40))


def test_an_open_transaction_does_not_make_a_partition_stalled(connection, topic):
    publish(connection, topic, words(0, 40))
    producer = TransactionalProducer(connection, f"{topic}-writer")
    with Reader(connection, [topic]) as reader, capture_logs() as logs:
        read_values(reader, 40)
        with producer.transaction() as client:
            client.produce(topic, b"late", b"late")
            client.flush()
            publish(connection, topic, words(40, 60))
            poll_through_checks(reader)

        assert b"late" in read_values(reader, 1)

    assert not [entry for entry in logs if entry["event"] == "partitions stalled"]


class ReportLosingConsumer(GroupConsumer):
    """A member that loses every report that a partition has no start offset."""

    lost_reports = 0

    def _is_record(self, message):
        if message.error() and message.error().code() == KafkaError._AUTO_OFFSET_RESET:
            self.lost_reports += 1
            return False
        return super()._is_record(message)


def test_a_partition_without_a_start_offset_is_read_although_the_report_was_lost(connection, topic):
    publish(connection, topic, words(0, 40))
    member = ReportLosingConsumer(connection, f"{topic}-group", [topic])
    try:
        found = []
        for _ in range(100):
            found += [record.value for record in member.poll()]
            if len(found) >= 40:
                break
    finally:
        member.close()

    assert member.lost_reports == PARTITIONS
    assert sorted(found) == sorted(words(0, 40))
