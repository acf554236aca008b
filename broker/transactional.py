"""A transactional producer without a consumer: whole sets of records, or nothing of them."""

from collections.abc import Iterable
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Producer

from broker.connection import Connection, transactional_config
from broker.delivery import Verdict, produce, repeated, verdict
from broker.errors import ProducerLost, TransactionAborted
from broker.records import Outgoing


class TransactionalPublisher:
    """Publishes each set of records in one transaction.

    Whoever opens one under the same transactional id fences the one before: its open transaction
    is aborted, a commit that it had begun is finished, and its next call raises ProducerLost.
    Once the constructor returns, all of that has happened.
    """

    def __init__(self, connection: Connection, transactional_id: str) -> None:
        self._producer = Producer(transactional_config(connection, transactional_id))
        try:
            self._producer.init_transactions(30)
        except KafkaException as error:
            raise connection.translated(error) from error

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
        try:
            self._producer.begin_transaction()
            for record in records:
                produce(self._producer, record)
            repeated(self._producer.commit_transaction)
        except KafkaException as error:
            raise self._given_up(error.args[0]) from error

    def close(self) -> None:
        """Let go of the producer; nothing is pending between two transactions."""
        self._producer.flush(5)

    def _given_up(self, cause: KafkaError) -> TransactionAborted | ProducerLost:
        if verdict(cause) is not Verdict.ABORT:
            return ProducerLost(f"{cause.name()}: {cause.str()}")
        try:
            repeated(self._producer.abort_transaction)
        except KafkaException as worse:
            return ProducerLost(f"abort failed: {worse.args[0].str()}")
        return TransactionAborted(cause.str())
