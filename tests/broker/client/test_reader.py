"""Readers of whole topics, against a real cluster."""

import pytest
from confluent_kafka import Producer

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection, transactional_config
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, read_offset_ranges, read_to_end
from modstream.broker.errors import BrokerUnavailable, TopicMissing
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real


def test_an_unreachable_cluster_is_reported_in_one_sentence():
    options = {"socket.connection.setup.timeout.ms": "1000"}

    with pytest.raises(BrokerUnavailable, match="no Kafka broker answers at"):
        Reader(Connection("127.0.0.1:1", options), ["t"])


def test_a_reader_of_committed_records_skips_aborted_records(connection, topic):
    producer = Producer(transactional_config(connection, f"{topic}-writer"))
    producer.init_transactions(20)
    for value, finish in (
        (b"first", producer.commit_transaction),
        (b"aborted", producer.abort_transaction),
        (b"second", producer.commit_transaction),
    ):
        producer.begin_transaction()
        producer.produce(topic, value, b"k")
        producer.flush()
        finish()

    committed = [r.value for r in read_to_end(connection, [topic])]
    everything = [r.value for r in read_to_end(connection, [topic], committed=False)]

    assert committed == [b"first", b"second"]
    assert b"aborted" in everything


def read_values_to_end(reader):
    found = []
    while not reader.at_end():
        found.extend(record.value for record in reader.poll())
    return found


def test_a_reader_starts_at_the_given_position(connection, topic):
    with Publisher(connection) as publisher:
        for n in range(10):
            publisher.send(ProducerRecord(topic, b"k", b"%d" % n))
        publisher.flush()
        partition = TopicPartition(topic, partition_for_key(b"k", 8))
        with (
            Reader(connection, [topic], {partition: 7}) as from_offset,
            Reader(connection, [topic], "end") as from_end,
        ):
            publisher.send(ProducerRecord(topic, b"k", b"new"))
            publisher.flush()

            assert read_values_to_end(from_offset) == [b"7", b"8", b"9", b"new"]
            assert read_values_to_end(from_end) == [b"new"]


def test_reading_a_missing_topic_is_an_error_with_a_remedy(connection, prefix):
    with pytest.raises(TopicMissing, match="modstream topics create"):
        Reader(connection, [f"{prefix}missing"])


def test_only_the_given_offset_ranges_are_read(connection, prefix):
    topic = prefix + "in"
    Admin(connection).create([TopicSpec(topic, 3)])
    with Publisher(connection) as publisher:
        for number in range(90):
            publisher.send(ProducerRecord(topic, b"%d" % number, b"%d" % number))
        publisher.flush()
    first, second, third = (TopicPartition(topic, number) for number in range(3))
    end = Admin(connection).end_offsets([topic])[third]

    found = list(read_offset_ranges(connection, topic, {first: (2, 5), third: (0, end)}))

    assert [r.offset for r in found if r.topic_partition == first] == [2, 3, 4]
    assert [r.offset for r in found if r.topic_partition == third] == list(range(end))
    assert not [r for r in found if r.topic_partition == second]
    assert list(read_offset_ranges(connection, topic, {})) == []
