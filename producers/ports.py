"""The broker interfaces that producers use: a sink for records and a source of records."""

from collections.abc import Callable
from typing import Protocol

from modstream.broker.client.publisher import DeliveryReport
from modstream.broker.wire.records import ProducerRecord, Record

OnDelivery = Callable[[DeliveryReport], None]
"""Called with the report of a sent record."""
TraceSend = Callable[[ProducerRecord, OnDelivery | None], tuple[ProducerRecord, OnDelivery | None]]
"""Begins the span of a record that is about to be sent. Returns the record with the trace context
of this span, and a callback that ends the span before it calls the given one."""


def send_untraced(
    record: ProducerRecord, on_delivery: OnDelivery | None
) -> tuple[ProducerRecord, OnDelivery | None]:
    """Return the same record and callback: nothing is traced."""
    return record, on_delivery


class SealedRequests(Protocol):
    """What the requests of one person are sent with."""

    @property
    def key(self) -> str:
        """The pseudonym of the person, which is the key of the records."""

    def value(self, value: bytes, json_length: int | None = None) -> bytes:
        """Return the value of a request, with its personal features sealed.

        Raises:
            PersonalInTensors: it has personal features in tensors.
        """


class Sealer(Protocol):
    """Seals the personal features of requests."""

    def person(self, person: str) -> SealedRequests:
        """Return what the requests of a person are sent with."""


class RecordSink(Protocol):
    """A sink for records, such as `modstream.broker.client.publisher.Publisher`."""

    def send(
        self, record: ProducerRecord, on_delivery: Callable[[DeliveryReport], None] | None = None
    ) -> None:
        """Enqueue one record; may block while the send queue is full."""

    def flush(self, timeout: float = ...) -> None:
        """Wait until every enqueued record is acknowledged.

        Raises:
            DeliveryFailed: a record was not acknowledged.
        """


class RecordSource(Protocol):
    """A source of records, such as `modstream.broker.client.reader.Reader`."""

    def poll(self, timeout: float = ..., max_records: int = ...) -> list[Record]:
        """Return up to `max_records` records; fewer, or none, after `timeout` seconds."""


def poll_available(source: RecordSource, timeout: float) -> list[Record]:
    """Return the available records as soon as there is one; an empty list after `timeout` seconds.

    A poll for many records waits for many. Polling for a single record first keeps that wait out
    of the latencies that callers measure.
    """
    first = source.poll(timeout=timeout, max_records=1)
    return first + source.poll(timeout=0.0, max_records=1000) if first else first
