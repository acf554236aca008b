"""Enqueues records in a producer."""

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, Producer

from modstream.broker.errors import OversizeRecord
from modstream.broker.wire.record_size import fits, record_size
from modstream.broker.wire.records import Headers, ProducerRecord
from modstream.broker.wire.topics import MAX_RECORD_BYTES

DeliveryCallback = Callable[[KafkaError | None, object], None]
"""The client's callback: called with the error, or None, and the message when a delivery ends."""


def produce_records(
    producer: Producer,
    records: Iterable[ProducerRecord],
    on_delivery: DeliveryCallback | None = None,
) -> None:
    """Enqueue records in their order; successive records that share headers convert them once."""
    send = producer.produce
    shared: Headers = ()
    headers: list[tuple[str, str | bytes | None]] = []
    for record in records:
        topic, key, value, own, timestamp = record
        if own is not shared:
            shared, headers = own, list(own)
        try:
            send(topic, value, key, -1, on_delivery, None, timestamp or 0, headers)
        except BufferError:
            produce_record(producer, record, on_delivery)


def produce_record(
    producer: Producer, record: ProducerRecord, on_delivery: DeliveryCallback | None = None
) -> None:
    """Enqueue one record; while the queue is full, serve delivery reports until it has room."""
    while True:
        try:
            producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                timestamp=record.timestamp or 0,
                on_delivery=on_delivery,
            )
            return
        except BufferError:
            producer.poll(0.1)


def check_fits(record: ProducerRecord) -> None:
    """Check that a record is not larger than any of our topics takes.

    Raises:
        OversizeRecord: it is larger.
    """
    if not fits(record):
        size = record_size(record)
        raise OversizeRecord(
            record.topic, f"it has {size:,} bytes, and a topic takes {MAX_RECORD_BYTES:,}"
        )
