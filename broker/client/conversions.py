"""The client's messages and places in our words, and ours in its."""

from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Consumer, Message
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.wire.records import Offsets, Record, TopicPartition, record_of


def read(message: Any) -> Record:  # noqa: ANN401 - a Message whose fields are known to be there
    """A client's message, delivered or received, as our record."""
    headers = message.headers()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(headers) if headers else (),
        message.timestamp()[1],
    )


def read_all(messages: Sequence[Message]) -> list[Record]:
    """Many of the client's messages as our records, field by field: a third of `read`'s time."""
    fields: tuple[Iterable[Any], ...] = (
        map(Message.topic, messages),
        map(Message.partition, messages),
        map(Message.offset, messages),
        map(Message.key, messages),
        map(Message.value, messages),
        (tuple(headers) if headers else () for headers in map(Message.headers, messages)),
        (timestamp for _, timestamp in map(Message.timestamp, messages)),
    )
    return list(map(record_of, zip(*fields, strict=True)))


def kafka_offsets(offsets: Offsets) -> list[KafkaPartition]:
    """Our offsets in the client's words."""
    return [KafkaPartition(home.topic, home.partition, next_) for home, next_ in offsets.items()]


def goes_on(consumer: Consumer, home: TopicPartition, place: int, timeout: float) -> bool:
    """Whether a partition holds anything from a place on; raises KafkaException if nobody says."""
    low, end = consumer.get_watermark_offsets(KafkaPartition(*home), timeout)
    return max(place, low) < end
