"""Delivery reports of published records, and where keys are published."""

import asyncio
from random import Random

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection, producer_config
from modstream.broker.client.publisher import UNKNOWN_OFFSET, Publisher, acknowledged_record
from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec


class Message:
    """A client's message in a delivery report, with an offset that may be unknown."""

    def __init__(self, offset):
        self._offset = offset

    def offset(self):
        return self._offset

    def topic(self):
        return "requests"

    def partition(self):
        return 2

    def key(self):
        return b"key"

    def value(self):
        return b"{}"

    def headers(self):
        return None

    def timestamp(self):
        return 1, 99


@pytest.mark.parametrize(("reported", "expected"), [(0, 0), (7, 7), (None, UNKNOWN_OFFSET)])
def test_a_report_without_an_offset_gives_a_record_with_an_unknown_offset(reported, expected):
    record = acknowledged_record(Message(reported))

    assert record[:5] == ("requests", 2, expected, b"key", b"{}")


@pytest.mark.real
def test_keys_have_the_same_partition_as_with_java_and_aiokafka(connection, topic):
    keys = [f"key-{n}".encode() for n in range(2000)]

    async def publish_by_aiokafka():
        producer = AIOKafkaProducer(bootstrap_servers=connection.bootstrap)
        await producer.start()
        try:
            sent = [await producer.send(topic, b"", key=key) for key in keys]
            return {key: (await one).partition for key, one in zip(keys, sent, strict=True)}
        finally:
            await producer.stop()

    by_aiokafka = asyncio.run(publish_by_aiokafka())
    by_modstream = {}

    def note_partition(report):
        by_modstream[report.record.key] = report.record.partition

    with Publisher(connection) as publisher:
        for key in keys:
            publisher.send(ProducerRecord(topic, key, b""), note_partition)
        publisher.flush()

    assert by_modstream == by_aiokafka
    assert by_modstream == {key: partition_for_key(key, 8) for key in keys}


@pytest.mark.real
def test_the_default_partitioner_of_librdkafka_differs(connection, topic):
    config = {**producer_config(connection, "default"), "partitioner": "consistent_random"}
    partitions = {}
    producer = Producer(config)

    def note_partition(_, message):
        partitions[message.key()] = message.partition()

    for n in range(200):
        producer.produce(topic, b"", f"key-{n}".encode(), on_delivery=note_partition)
    producer.flush(10)

    assert any(partition != partition_for_key(key, 8) for key, partition in partitions.items())


@pytest.mark.real
def test_a_record_that_the_cluster_rejects_is_reported_as_rejected(connection, prefix):
    topic = f"{prefix}small"
    Admin(connection).create([TopicSpec(topic, 1, {"max.message.bytes": "1000"})])
    reports = []

    with Publisher(connection) as publisher:
        noise = Random(0).randbytes(5000)
        publisher.send(ProducerRecord(topic, None, noise), reports.append)
        with pytest.raises(DeliveryFailed, match=topic):
            publisher.flush()

    assert reports[0].record is None
    assert reports[0].error.is_rejected
    assert "too large" in str(reports[0].error).lower()


@pytest.mark.real
def test_a_record_without_acknowledgement_is_not_reported_as_rejected():
    unreachable = Connection("127.0.0.1:1", {"message.timeout.ms": "200"})
    reports = []

    with Publisher(unreachable) as publisher:
        publisher.send(ProducerRecord("words", None, b""), reports.append)
        with pytest.raises(DeliveryFailed):
            publisher.flush()

    assert reports[0].record is None
    assert not reports[0].error.is_rejected


@pytest.mark.real
def test_pending_records_are_distinguished_from_failed_records():
    unreachable = Connection("127.0.0.1:1", {"message.timeout.ms": "2000"})

    with Publisher(unreachable) as publisher:
        publisher.send(ProducerRecord("words", None, b""))
        with pytest.raises(DeliveryPending):
            publisher.flush(0.1)
        with pytest.raises(DeliveryFailed) as failed:
            publisher.flush()

    assert not isinstance(failed.value, DeliveryPending)
