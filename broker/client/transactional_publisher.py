"""A transactional producer without a consumer: whole sets of records, or nothing of them."""

from collections.abc import Iterable
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.client.delivery import produce
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.records import Outgoing


class TransactionalPublisher:
    """Publishes each set of records in one transaction.

    Whoever opens one under the same transactional id fences the one before: its open transaction
    is aborted, a commit that it had begun is finished, and its next call raises ProducerLost.
    Once the constructor returns, all of that has happened.
    """

    def __init__(self, connection: Connection, transactional_id: str) -> None:
        self._producer = TransactionalProducer(connection, transactional_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish all of these records together.

        Raises:
            TransactionAborted: nothing of them is visible; they may be published again.
            ProducerLost: only a new publisher may go on, and must look first what is there.
        """
        if self._producer.is_spent:
            raise ProducerLost("a connection broke, and what was on its way may come late")
        with self._producer.transaction() as producer:
            for record in records:
                produce(producer, record)

    def close(self) -> None:
        """Let go of the producer; nothing is pending between two transactions."""
        self._producer.close()
