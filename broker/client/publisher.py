"""An idempotent producer for all records except responses."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaError, Producer

from modstream.broker.client.connection import Connection, producer_config
from modstream.broker.client.conversions import to_record
from modstream.broker.client.produce import check_fits, produce_record
from modstream.broker.client.transactions import SIZE_ERRORS
from modstream.broker.errors import DeliveryFailed, DeliveryPending, OversizeRecord
from modstream.broker.wire.records import ProducerRecord, Record

REJECTION_ERRORS = frozenset(
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
"""Errors after which a record is certainly not in the topic. After any other error, a timeout for
example, the record may be there."""

UNKNOWN_OFFSET = -1
"""The offset of a record that is in its partition, at an offset that the broker no longer knows."""


class DeliveryReport(NamedTuple):
    """The result of sending one record: the record as stored, or the error.

    The stored record's offset is `UNKNOWN_OFFSET` if a retry was acknowledged as a duplicate
    (DUPLICATE_SEQUENCE_NUMBER, https://github.com/confluentinc/librdkafka/pull/4438): after the
    death of a leader, the next leader may know that it has the record, but not where.
    """

    produced: ProducerRecord
    record: Record | None
    error: DeliveryFailed | None


class Publisher:
    """Sends records; `flush` waits for all of them and raises the error of one that failed.

    With `keeps_failures` false, failures are only reported to `on_delivery`: a publisher that is
    never flushed would collect them. With `polls_on_send` false, another thread serves the reports.
    """

    def __init__(
        self,
        connection: Connection,
        client_id: str = "modstream",
        *,
        keeps_failures: bool = True,
        polls_on_send: bool = True,
    ) -> None:
        self._producer = Producer(producer_config(connection, client_id))
        self._keeps_failures, self._polls_on_send = keeps_failures, polls_on_send
        self._failures: list[DeliveryFailed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self, record: ProducerRecord, on_delivery: Callable[[DeliveryReport], None] | None = None
    ) -> None:
        """Enqueue one record; blocks only while the local queue is full.

        Args:
            record: the record to send.
            on_delivery: called with the report, from within `send`, `poll` or `flush`.

        Raises:
            OversizeRecord: the record is larger than any topic takes; nothing was sent.
        """
        check_fits(record)

        def report(error: KafkaError | None, message: object) -> None:
            failure = None if error is None else delivery_error(record, error)
            if failure is not None and self._keeps_failures:
                self._failures.append(failure)
            if on_delivery is not None:
                stored = None if failure else acknowledged_record(message)
                on_delivery(DeliveryReport(record, stored, failure))

        produce_record(self._producer, record, report)
        if self._polls_on_send:
            self._producer.poll(0)

    def poll(self, timeout: float = 0.0) -> None:
        """Serve delivery reports for up to `timeout` seconds."""
        self._producer.poll(timeout)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until every sent record is acknowledged.

        Raises:
            DeliveryPending: a record is not acknowledged after `timeout` seconds.
            DeliveryFailed: the client gave up on a record. If it gave up on several, the error is
                that of a record that may be sent again, if there is one.
        """
        pending = self._producer.flush(timeout)
        if pending:
            raise DeliveryPending("several topics", f"{pending} records after {timeout:g} s")
        if self._failures:
            failures, self._failures = self._failures, []
            raise min(failures, key=lambda failure: failure.is_rejected)

    def close(self) -> None:
        """Wait for pending records, at most 10 s."""
        self._producer.flush(10)


def acknowledged_record(message: Any) -> Record:  # noqa: ANN401 - a Message with known fields
    """Return the stored record of a delivery report without an error."""
    record = to_record(message)
    return record if message.offset() is not None else record._replace(offset=UNKNOWN_OFFSET)


def delivery_error(record: ProducerRecord, error: KafkaError) -> DeliveryFailed:
    """Return the broker error for a record that was not acknowledged."""
    if error.code() in SIZE_ERRORS:
        return OversizeRecord(record.topic, error.str())
    return DeliveryFailed(record.topic, error.str(), is_rejected=error.code() in REJECTION_ERRORS)
