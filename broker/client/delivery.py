"""How answers and offsets leave together: in one transaction, or answers first.

Exactly once here means: in the topics, to readers of committed records, as far as Kafka's
transaction protocol of clients before KIP-890 goes (docs/delivery.md says how far).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError, Producer

from modstream.broker.client.connection import FLUSHED, Connection, producer_config
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.conversions import kafka_offsets
from modstream.broker.client.transactions import CALL, TransactionalProducer, bounded, repeated
from modstream.broker.errors import DeliveryFailed
from modstream.broker.wire.records import Headers, Outgoing, Record, next_offsets

Delivered = Callable[[KafkaError | None, object], None]
"""Told how the delivery of a record ended."""

PRODUCERS = 2
"""Transactional producers that take turns."""


class Deliver(Protocol):
    """Publish what came of a batch and commit the batch's offsets, in a thread of its own.

    Raises TransactionAborted or DeliveryFailed when the batch must be read again, ProducerLost
    when only a new process may go on.
    """

    def __call__(self, outgoing: Iterable[Outgoing], batch: Sequence[Record]) -> None:
        """Deliver one batch."""

    def close(self) -> None:
        """Let go of the connections."""


class ExactlyOnce:
    """Consume-process-produce in Kafka transactions (KIP-98, KIP-447).

    The order of a delivery:
      1. begin the transaction
      2. produce every outgoing record
      3. send the batch's next offsets into it
      4. commit, which flushes first
    Producing before sending offsets takes the short retry path of a transaction that follows
    hard on another (https://github.com/confluentinc/confluent-kafka-python/issues/967). And two
    producers take turns: the coordinator is still completing the one's last transaction while
    the other begins (docs/adr/0006). Never are two transactions open at once. A producer that is
    spent has a successor at once: should this worker be a zombie, its group's generation fences it.
    """

    def __init__(
        self, connection: Connection, transactional_id: str, source: GroupConsumer
    ) -> None:
        self._source = source
        self._producers = [
            TransactionalProducer(connection, f"{transactional_id}.{turn}")
            for turn in range(PRODUCERS)
        ]

    def __call__(self, outgoing: Iterable[Outgoing], batch: Sequence[Record]) -> None:
        """Deliver one batch in one transaction."""
        while self._producers[0].is_spent:
            self._producers[0] = self._producers[0].successor()
        with self._producers[0].transaction() as producer:  # Step 1, and 4 in the end.
            produce_all(producer, outgoing)  # Step 2.
            offsets, member = kafka_offsets(next_offsets(batch)), self._source.group_metadata()
            send = partial(producer.send_offsets_to_transaction, offsets, member, CALL)
            repeated(lambda: bounded(send))  # Step 3.
        self._producers.reverse()

    def close(self) -> None:
        """Let go of the producers; nothing is pending between two deliveries."""
        for producer in self._producers:
            producer.close()


class AtLeastOnce:
    """Answers first, offsets after: lowest latency, a crash in between answers again."""

    def __init__(self, connection: Connection, client_id: str, source: GroupConsumer) -> None:
        self._source = source
        config = producer_config(connection, client_id)
        # `delivered` hears of failures only: a call into Python for each record took 0.3 us.
        self._producer = Producer({**config, **FLUSHED, "delivery.report.only.error": True})

    def __call__(self, outgoing: Iterable[Outgoing], batch: Sequence[Record]) -> None:
        """Deliver one batch: produce, wait for every acknowledgement, commit the offsets."""
        failures: list[DeliveryFailed] = []

        def delivered(error: KafkaError | None, message: object) -> None:
            if error is not None:
                failures.append(DeliveryFailed(str(message), error.str()))

        produce_all(self._producer, outgoing, delivered)
        self._producer.flush()
        if failures:
            raise failures[0]
        self._source.commit(next_offsets(batch))

    def close(self) -> None:
        """Wait for what is on its way."""
        self._producer.flush(5)


def produce_all(
    producer: Producer, outgoing: Iterable[Outgoing], delivered: Delivered | None = None
) -> None:
    """Enqueue records in their order; many of them share their headers."""
    send = producer.produce
    shared: Headers = ()
    headers: list[tuple[str, str | bytes | None]] = []
    for record in outgoing:
        topic, key, value, own, timestamp = record
        if own is not shared:
            shared, headers = own, list(own)
        try:
            send(topic, value, key, -1, delivered, None, timestamp or 0, headers)
        except BufferError:
            produce(producer, record, delivered)


def produce(producer: Producer, record: Outgoing, delivered: Delivered | None = None) -> None:
    """Enqueue one record; when the queue is full, serve deliveries until there is room."""
    while True:
        try:
            producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                timestamp=record.timestamp or 0,
                on_delivery=delivered,
            )
            return
        except BufferError:
            producer.poll(0.1)
