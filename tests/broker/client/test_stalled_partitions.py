"""Who hears a partition no more, or never did, does not wait for it for ever."""

import pytest
from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition as KafkaPartition
from structlog.testing import capture_logs

from modstream.broker.client import offset_resolver
from modstream.broker.client import reader as reading
from modstream.broker.client.admin import Admin
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.reader import Reader
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.wire.topics import TopicSpec
from tests.sample_records import publish

pytestmark = pytest.mark.real
PARTITIONS = 4
LOOKS = 3


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(reading, "LOOK_EVERY", 1.0)
    monkeypatch.setattr(offset_resolver, "LOOK_EVERY", 1.0)


@pytest.fixture
def topic(connection, prefix):
    name = f"{prefix}words"
    Admin(connection).create([TopicSpec(name, PARTITIONS)])
    return name


def hear(reader, most):
    """So many records, or fewer if they do not come."""
    found = []
    for _ in range(200):
        found.extend(record.value for record in reader.poll())
        if len(found) >= most:
            return found
    return found


def looked(reader):
    """Poll until the reader has looked for lost partitions a good number of times."""
    found, enough = [], reader._look_at + LOOKS * reading.LOOK_EVERY
    for _ in range(1000):
        found.extend(record.value for record in reader.poll(0.01))
        if reader._look_at > enough:
            return found
    raise AssertionError("it does not look")


def words(begin, end):
    return [b"%d" % number for number in range(begin, end)]


def test_a_partition_that_is_heard_no_more_is_read_on_without_loss_or_repetition(connection, topic):
    publish(connection, topic, words(0, 40))
    with Reader(connection, [topic]) as reader, capture_logs() as logs:
        assert sorted(hear(reader, 40)) == sorted(words(0, 40))
        reader._consumer.pause([KafkaPartition(*home) for home in reader.partitions[:2]])
        publish(connection, topic, words(40, 80))

        assert sorted(hear(reader, 40)) == sorted(words(40, 80))
        assert looked(reader) == []

    heard = [entry["partitions"] for entry in logs if entry["event"] == "heard no more"]
    assert heard == [[f"{topic}:0", f"{topic}:1"]]


def test_a_reader_that_has_never_heard_a_partition_begins_it_anew_at_its_beginning(
    connection, topic
):
    publish(connection, topic, words(0, 40))
    with Reader(connection, [topic]) as reader:
        reader._consumer.pause([KafkaPartition(*home) for home in reader.partitions])

        assert sorted(hear(reader, 40)) == sorted(words(0, 40))


def test_an_open_transaction_is_waited_for_by_the_same_client(connection, topic):
    publish(connection, topic, words(0, 40))
    producer = TransactionalProducer(connection, f"{topic}-writer")
    with Reader(connection, [topic]) as reader, capture_logs() as logs:
        hear(reader, 40)
        with producer.transaction() as client:
            client.produce(topic, b"late", b"late")
            client.flush()
            publish(connection, topic, words(40, 60))
            looked(reader)

        assert b"late" in hear(reader, 1)

    assert not [entry for entry in logs if entry["event"] == "heard no more"]


class Heedless(GroupConsumer):
    """A member to whom the report never comes that a partition has no place."""

    missed = 0

    def _is_record(self, message):
        if message.error() and message.error().code() == KafkaError._AUTO_OFFSET_RESET:
            self.missed += 1
            return False
        return super()._is_record(message)


def test_a_member_that_was_never_told_of_a_partition_without_a_place_begins_it(connection, topic):
    publish(connection, topic, words(0, 40))
    member = Heedless(connection, f"{topic}-group", [topic])
    try:
        found = []
        for _ in range(100):
            found += [record.value for record in member.poll()]
            if len(found) >= 40:
                break
    finally:
        member.close()

    assert member.missed == PARTITIONS
    assert sorted(found) == sorted(words(0, 40))
