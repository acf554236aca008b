"""An idempotent producer for everything that is not an answer."""

from collections.abc import Callable
from typing import NamedTuple, Self

from confluent_kafka import KafkaError, Producer

from broker.connection import Connection, producer_config
from broker.consumer import read
from broker.delivery import produce
from broker.errors import DeliveryFailed
from broker.records import Outgoing, Record


class Delivered(NamedTuple):
    """How the sending of one record ended: where it lies, or why it does not."""

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
            failure = DeliveryFailed(outgoing.topic, error.str()) if error is not None else None
            if failure is not None:
                self._failures.append(failure)
            if delivered is not None:
                delivered(Delivered(outgoing, None if failure else read(message), failure))

        produce(self._producer, outgoing, reported)
        self._producer.poll(0)

    def poll(self, timeout: float = 0.0) -> None:
        """Serve delivery reports for up to `timeout` seconds."""
        self._producer.poll(timeout)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until every record sent so far is acknowledged.

        Raises:
            DeliveryFailed: one was given up, or is still on its way after `timeout` seconds.
        """
        waiting = self._producer.flush(timeout)
        if waiting:
            raise DeliveryFailed("several topics", f"{waiting} records after {timeout:g} s")
        if self._failures:
            failure, self._failures = self._failures[0], []
            raise failure

    def close(self) -> None:
        """Wait briefly for what is on its way."""
        self._producer.flush(10)
