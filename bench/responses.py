"""Statistics of the responses of a system, read from the predictions topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, reader_config
from modstream.broker.errors import BrokerError
from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Header

MAX_RECORDS = 10_000
POLL_TIMEOUT_SECONDS = 0.2
"""Timeout of one read of up to MAX_RECORDS records."""
STALL_TIMEOUT_SECONDS = 30.0
"""Maximum time without a record before the reading fails."""


@dataclass(slots=True)
class ResponseStats:
    """The number of responses and errors, and the times of the first and last response.

    Times are in ms since the epoch, by the broker's clock.
    """

    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    errors: int = 0
    first_error: bytes = b""

    @property
    def seconds(self) -> float:
        """The seconds between the first and the last response."""
        return (self.last_ms - self.first_ms) / 1000

    def add(self, message: Message) -> None:
        """Count one response."""
        timestamp_ms = message.timestamp()[1]
        self.first_ms = min(self.first_ms or timestamp_ms, timestamp_ms)
        self.last_ms = max(self.last_ms, timestamp_ms)
        self.count += 1
        if (Header.KIND, KIND_ERROR) in (message.headers() or ()):
            self.errors += 1
            self.first_error = self.first_error or message.value() or b""


def read_response_stats(
    connection: Connection, before: Mapping[TopicPartition, int]
) -> ResponseStats:
    """Read the committed responses from the offsets `before` to the current ends.

    Raises:
        BrokerError: no record arrived for STALL_TIMEOUT_SECONDS before the ends were reached.
    """
    consumer = Consumer(reader_config(connection, "bench", committed=True))
    consumer.assign([KafkaPartition(*partition, offset) for partition, offset in before.items()])
    stats, unfinished, last_read = ResponseStats(), len(before), monotonic()
    while unfinished:
        messages = consumer.consume(MAX_RECORDS, POLL_TIMEOUT_SECONDS)
        if messages:
            last_read = monotonic()
        elif monotonic() - last_read > STALL_TIMEOUT_SECONDS:
            raise BrokerError(
                f"{unfinished} partitions of the responses could not be read to their ends"
            )
        for message in messages:
            error = message.error()
            if error is None:
                stats.add(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
                unfinished -= 1
    consumer.close()
    return stats
