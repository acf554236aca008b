"""Single records, found by their positions in a real cluster."""

import pytest
from confluent_kafka import Producer

from modstream.broker.client.connection import transactional_config
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.record_lookup import RecordLookup
from modstream.broker.wire.records import ProducerRecord, TopicPartition

pytestmark = pytest.mark.real


@pytest.fixture
def lookup(connection, topic):
    opened = RecordLookup(connection, topic)
    yield opened
    opened.close()


def test_every_record_is_found_in_any_order_and_nothing_else(connection, topic, lookup):
    with Publisher(connection) as publisher:
        for n in range(300):
            publisher.send(ProducerRecord(topic, b"%d" % (n % 5), b"%d" % n))
        publisher.flush()
    records = list(read_to_end(connection, [topic]))

    for record in [*records, *reversed(records)]:
        assert lookup.find(record.topic_partition, record.offset) == record
    for number, offset in ((0, -1), (0, 2**62), (999, 0), (-1, 0), (2**70, 0)):
        assert lookup.find(TopicPartition(topic, number), offset) is None
    assert lookup.find(TopicPartition("another", 0), 0) is None


def test_records_of_aborted_transactions_and_markers_are_not_found(connection, topic, lookup):
    producer = Producer(transactional_config(connection, f"{topic}-writer"))
    producer.init_transactions(20)
    for value, finish in (
        (b"aborted", producer.abort_transaction),
        (b"kept", producer.commit_transaction),
    ):
        producer.begin_transaction()
        producer.produce(topic, value, b"k", partition=0)
        producer.flush()
        finish()

    found = [lookup.find(TopicPartition(topic, 0), offset) for offset in range(4)]

    assert [None if one is None else one.value for one in found] == [None, None, b"kept", None]
