"""A transaction that is still open holds back where its partitions go on; nothing begins before."""

from contextlib import ExitStack
from time import monotonic

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import transactional_config
from modstream.broker.client.consumer import BatchSettings, GroupConsumer
from modstream.broker.client.conversions import kafka_offsets
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import Outgoing, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real

RECORDS, DONE, PENDING = 10, 5, 7
SECONDS = 30.0


@pytest.fixture
def topic(connection, prefix):
    """A topic of two partitions with some records in each."""
    name = prefix + "in"
    Admin(connection).create([TopicSpec(name, 2)])
    with Publisher(connection) as publisher:
        for number in range(20 * RECORDS):
            publisher.send(Outgoing(name, b"%d" % number, b"x"))
        publisher.flush()
    return name


@pytest.fixture
def members(connection, topic, prefix):
    """Makes members of one group; those that are left are closed in the end."""
    with ExitStack() as closing:

        def join(kind=GroupConsumer):
            member = kind(connection, prefix + "g", [topic], BatchSettings(idle=0.05))
            closing.callback(member.close)
            return member

        yield join


@pytest.fixture
def producer(connection, prefix):
    producer = Producer(transactional_config(connection, prefix + "slot"))
    producer.init_transactions(SECONDS)
    yield producer
    producer.purge()


def homes(topic):
    return [TopicPartition(topic, number) for number in range(2)]


def read(members, enough):
    """Poll members until that is enough; the offsets that came, by partition."""
    found = {}
    deadline = monotonic() + SECONDS
    while not enough(found):
        assert monotonic() < deadline, found
        for member in members:
            for record in member.poll():
                found.setdefault(record.home, []).append(record.offset)
    return found


def test_a_partition_whose_offset_is_held_back_begins_where_it_was_after_a_rebalance_too(
    connection, topic, members, producer
):
    first = members()
    read([first], lambda found: len(found) == 2)
    first.commit(dict.fromkeys(homes(topic), DONE))
    first.poll()
    producer.begin_transaction()
    offsets = kafka_offsets(dict.fromkeys(homes(topic), PENDING))
    producer.send_offsets_to_transaction(offsets, first.group_metadata())
    first.close()

    second = members()
    assert read([second], lambda _: len(second.owned) == 2) == {}
    third = members()
    early = read([second, third], lambda _: len(third.owned) == len(second.owned) == 1)
    until = monotonic() + 3.0
    early |= read([second, third], lambda _: monotonic() > until)
    assert early == {}
    producer.abort_transaction()
    late = read([second, third], lambda found: len(found) == 2)

    assert {home: offsets[0] for home, offsets in late.items()} == dict.fromkeys(homes(topic), DONE)


def test_a_partition_without_an_offset_begins_at_its_first_record(topic, members):
    member = members()

    found = read([member], lambda found: len(found) == 2)

    assert [offsets[0] for offsets in found.values()] == [0, 0]


def test_a_partition_whose_next_record_is_gone_goes_on_at_its_first(connection, topic, members):
    home, member = homes(topic)[0], members()
    read([member], lambda found: len(found) == 2)
    member.commit({home: DONE})
    member.close()
    admin = AdminClient({"bootstrap.servers": connection.bootstrap})
    (deleted,) = admin.delete_records([KafkaPartition(*home, DONE + 3)]).values()
    deleted.result(SECONDS)

    found = read([members()], lambda found: home in found)

    assert found[home][0] == DONE + 3


class Misplaced(GroupConsumer):
    """A member whose client begins every partition at its first record, whatever was committed."""

    def _assigned(self, consumer, partitions):
        super()._assigned(consumer, partitions)
        for partition in partitions:
            partition.offset = 0
        consumer.incremental_assign(partitions)


def test_records_before_what_the_group_has_committed_are_handed_to_nobody(topic, members):
    first = members()
    read([first], lambda found: len(found) == 2)
    first.commit(dict.fromkeys(homes(topic), DONE))
    first.close()

    found = read([members(Misplaced)], lambda found: len(found) == 2)

    assert {home: offsets[0] for home, offsets in found.items()} == dict.fromkeys(
        homes(topic), DONE
    )
