"""What a subject has answered, counted from the topic itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, reader_config
from modstream.broker.errors import BrokerError
from modstream.broker.wire.codec import ERROR
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Header

MANY = 10_000
LINGER = 0.2
"""Seconds in which so many are waited for."""
SILENCE = 30.0
"""Seconds after which partitions that give nothing are given up."""


@dataclass(slots=True)
class Answers:
    """How many answers, from when to when (ms, the broker's clock), and errors among them."""

    count: int = 0
    first: int = 0
    last: int = 0
    errors: int = 0
    first_error: bytes = b""

    @property
    def seconds(self) -> float:
        """Between the first answer and the last."""
        return (self.last - self.first) / 1000

    def add(self, message: Message) -> None:
        """Count one answer."""
        at = message.timestamp()[1]
        self.first = min(self.first or at, at)
        self.last = max(self.last, at)
        self.count += 1
        if (Header.KIND, ERROR) in (message.headers() or ()):
            self.errors += 1
            self.first_error = self.first_error or message.value() or b""


def answers_since(connection: Connection, before: Mapping[TopicPartition, int]) -> Answers:
    """The committed answers from some offsets on to where they end now.

    Raises:
        BrokerError: they could not be read to their ends.
    """
    consumer = Consumer(reader_config(connection, "bench", committed=True))
    consumer.assign([KafkaPartition(*home, offset) for home, offset in before.items()])
    found, unfinished, heard = Answers(), len(before), monotonic()
    while unfinished:
        messages = consumer.consume(MANY, LINGER)
        if messages:
            heard = monotonic()
        elif monotonic() - heard > SILENCE:
            raise BrokerError(f"{unfinished} partitions of the answers give nothing")
        for message in messages:
            error = message.error()
            if error is None:
                found.add(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
                unfinished -= 1
    consumer.close()
    return found
