"""No partition starts before its committed offset while an open transaction holds it back."""

from contextlib import ExitStack
from time import monotonic

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from modstream.broker.client.admin import Admin
from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import transactional_config
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.conversions import to_kafka_offsets
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real

COMMITTED, PENDING = 5, 7
TIMEOUT_SECONDS = 30.0


@pytest.fixture
def topic(connection, prefix):
    """A topic of two partitions with about a hundred records in each."""
    name = prefix + "in"
    Admin(connection).create([TopicSpec(name, 2)])
    with Publisher(connection) as publisher:
        for number in range(200):
            publisher.send(ProducerRecord(name, b"%d" % number, b"x"))
        publisher.flush()
    return name


@pytest.fixture
def new_member(connection, topic, prefix):
    """Return a function that creates members of one group; they are closed after the test."""
    with ExitStack() as members:

        def create(kind=GroupConsumer):
            member = kind(connection, prefix + "g", [topic], BatchSettings(poll_timeout=0.05))
            members.callback(member.close)
            return member

        yield create


@pytest.fixture
def producer(connection, prefix):
    producer = Producer(transactional_config(connection, prefix + "worker-0"))
    producer.init_transactions(TIMEOUT_SECONDS)
    yield producer
    producer.purge()


def partitions_of(topic):
    return [TopicPartition(topic, number) for number in range(2)]


def has_both(found):
    return len(found) == 2


def poll_until(members, is_done):
    """Poll members until `is_done(found)`; `found` has the polled offsets of each partition."""
    found = {}
    deadline = monotonic() + TIMEOUT_SECONDS
    while not is_done(found):
        assert monotonic() < deadline, found
        for member in members:
            for record in member.poll():
                found.setdefault(record.topic_partition, []).append(record.offset)
    return found


def first_of_each(found):
    return {partition: offsets[0] for partition, offsets in found.items()}


def test_a_partition_with_an_unstable_offset_starts_at_the_committed_one_even_after_a_rebalance(
    topic, new_member, producer
):
    first = new_member()
    poll_until([first], has_both)
    first.commit(dict.fromkeys(partitions_of(topic), COMMITTED))
    first.poll()
    producer.begin_transaction()
    pending = to_kafka_offsets(dict.fromkeys(partitions_of(topic), PENDING))
    producer.send_offsets_to_transaction(pending, first.group_metadata())
    first.close()

    second = new_member()
    assert poll_until([second], lambda _: len(second.owned) == 2) == {}
    third = new_member()
    both = [second, third]
    early = poll_until(both, lambda _: len(third.owned) == len(second.owned) == 1)
    until = monotonic() + 3.0
    early |= poll_until(both, lambda _: monotonic() > until)
    assert early == {}
    producer.abort_transaction()
    found = poll_until(both, has_both)

    assert first_of_each(found) == dict.fromkeys(partitions_of(topic), COMMITTED)


def test_a_partition_without_a_committed_offset_starts_at_its_first_record(new_member):
    found = poll_until([new_member()], has_both)

    assert [offsets[0] for offsets in found.values()] == [0, 0]


def test_a_partition_whose_next_record_was_deleted_starts_at_its_first_record(
    connection, topic, new_member
):
    partition, member = partitions_of(topic)[0], new_member()
    poll_until([member], has_both)
    member.commit({partition: COMMITTED})
    member.close()
    admin = AdminClient({"bootstrap.servers": connection.bootstrap})
    (deleted,) = admin.delete_records([KafkaPartition(*partition, COMMITTED + 3)]).values()
    deleted.result(TIMEOUT_SECONDS)

    found = poll_until([new_member()], lambda found: partition in found)

    assert found[partition][0] == COMMITTED + 3


class MisplacingConsumer(GroupConsumer):
    """A member whose client starts every partition at its first record."""

    def _on_assign(self, consumer, partitions):
        super()._on_assign(consumer, partitions)
        for partition in partitions:
            partition.offset = 0
        consumer.incremental_assign(partitions)


def test_records_before_the_committed_offset_are_not_returned(topic, new_member):
    first = new_member()
    poll_until([first], has_both)
    first.commit(dict.fromkeys(partitions_of(topic), COMMITTED))
    first.close()

    found = poll_until([new_member(MisplacingConsumer)], has_both)

    assert first_of_each(found) == dict.fromkeys(partitions_of(topic), COMMITTED)
