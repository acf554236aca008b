"""An idempotent producer for everything that is not an answer."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaError, Producer

from modstream.broker.client.connection import Connection, producer_config
from modstream.broker.client.conversions import read
from modstream.broker.client.delivery import produce
from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.wire.records import Outgoing, Record

# After any other failure, a timeout above all, the record may lie in the topic.
REFUSALS = frozenset(
    {
        KafkaError._PURGE_QUEUE,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""Failures after which a record surely does not lie in the topic."""


UNKNOWN_OFFSET = -1
"""Of a record that lies in its partition, the broker no longer knows where."""


class Delivered(NamedTuple):
    """How the sending of one record ended: where it lies, or why it does not.

    The record's offset is `UNKNOWN_OFFSET` where a repetition of it was acknowledged as one
    (DUPLICATE_SEQUENCE_NUMBER, https://github.com/confluentinc/librdkafka/pull/4438): after a
    broker's death its successor may know that it has a record and not where.
    """

    outgoing: Outgoing
    record: Record | None
    error: DeliveryFailed | None


class Publisher:
    """Sends records; `flush` waits for all of them and tells of the first that failed."""

    def __init__(self, connection: Connection, client_id: str = "modstream") -> None:
        self._producer = Producer(producer_config(connection, client_id))
        self._failures: list[DeliveryFailed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self, outgoing: Outgoing, delivered: Callable[[Delivered], None] | None = None
    ) -> None:
        """Enqueue one record; blocks only while the local queue is full."""

        def reported(error: KafkaError | None, message: object) -> None:
            failure = None if error is None else failed(outgoing, error)
            if failure is not None:
                self._failures.append(failure)
            if delivered is not None:
                delivered(Delivered(outgoing, None if failure else acknowledged(message), failure))

        produce(self._producer, outgoing, reported)
        self._producer.poll(0)

    def poll(self, timeout: float = 0.0) -> None:
        """Serve delivery reports for up to `timeout` seconds."""
        self._producer.poll(timeout)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until every record sent so far is acknowledged.

        Raises:
            DeliveryPending: one is still on its way after `timeout` seconds.
            DeliveryFailed: one was given up; of several that were, one that may be sent again.
        """
        waiting = self._producer.flush(timeout)
        if waiting:
            raise DeliveryPending("several topics", f"{waiting} records after {timeout:g} s")
        if self._failures:
            failures, self._failures = self._failures, []
            raise min(failures, key=lambda failure: failure.refused)

    def close(self) -> None:
        """Wait briefly for what is on its way."""
        self._producer.flush(10)


def acknowledged(message: Any) -> Record:  # noqa: ANN401 - a Message whose fields are known
    """The record of a delivery report without an error."""
    record = read(message)
    return record if message.offset() is not None else record._replace(offset=UNKNOWN_OFFSET)


def failed(outgoing: Outgoing, error: KafkaError) -> DeliveryFailed:
    """The room's own error for a record that was not acknowledged."""
    return DeliveryFailed(outgoing.topic, error.str(), refused=error.code() in REFUSALS)
