"""A transactional producer without a consumer: publishes sets of records atomically."""

from collections.abc import Iterable
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.client.produce import check_fits, produce_record
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.records import ProducerRecord


class TransactionalPublisher:
    """Publishes each set of records in one transaction.

    A new publisher fences the previous one with the same transactional id: the open transaction of
    the latter is aborted, a commit that it has begun is completed, and its next call raises
    ProducerLost. All of that has happened when the constructor returns.
    """

    def __init__(self, connection: Connection, transactional_id: str) -> None:
        self._producer = TransactionalProducer(connection, transactional_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(self, records: Iterable[ProducerRecord]) -> None:
        """Publish these records in one transaction.

        Raises:
            OversizeRecord: a record is larger than any topic takes; nothing was sent.
            RecordsOversize: a record is larger than its topic takes; no record is visible.
            TransactionAborted: no record is visible; the records may be published again.
            ProducerLost: only a new publisher can continue, after reading what was published.
        """
        records = list(records)
        for record in records:
            check_fits(record)
        if self._producer.needs_replacement:
            raise ProducerLost("a connection broke, and a request in flight may arrive late")
        with self._producer.transaction() as producer:
            for record in records:
                produce_record(producer, record)

    def close(self) -> None:
        """Close the producer; no record is pending between two transactions."""
        self._producer.close()
