"""A member of a consumer group that hands out whole batches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from broker.connection import Connection, consumer_config
from broker.errors import TopicMissing
from broker.records import Offsets, Record, TopicPartition, first_offsets

HARMLESS = frozenset({KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED})


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What makes a batch: at most `most` records, complete after `linger`; `idle` bounds a poll.

    Times in seconds. `linger` stays below 0.2 s: beyond it `Consumer.consume` has changed its
    meaning twice (https://github.com/confluentinc/confluent-kafka-python/issues/2205).
    """

    most: int = 5000
    linger: float = 0.005
    idle: float = 0.2


class GroupConsumer:
    """One group member: polls batches, forgets what was revoked, rewinds what was aborted."""

    def __init__(
        self,
        connection: Connection,
        group: str,
        topics: Sequence[str],
        batch: BatchSettings | None = None,
        client_id: str = "modstream-worker",
    ) -> None:
        self._connection = connection
        self._batch = batch or BatchSettings()
        self._owned: set[TopicPartition] = set()
        self._log = structlog.get_logger(__name__).bind(group=group)
        self._consumer = Consumer(consumer_config(connection, client_id, group))
        self._consumer.subscribe(
            list(topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )

    @property
    def owned(self) -> frozenset[TopicPartition]:
        """The partitions this member is assigned now."""
        return frozenset(self._owned)

    def poll(self) -> list[Record]:
        """The next batch, in offset order within each partition; empty after an idle wait.

        Raises:
            TopicMissing: a subscribed topic does not exist.
            BrokerError: the client gave up.
        """
        try:
            first = self._consumer.poll(self._batch.idle)
            if first is None:
                return []
            rest = self._consumer.consume(self._batch.most - 1, self._batch.linger)
        except KafkaException as error:
            raise self._connection.translated(error) from error
        records = [read(message) for message in (first, *rest) if self._is_record(message)]
        # A rebalance inside consume() may have taken a partition whose record we already hold.
        owned = self._owned
        return [record for record in records if (record[0], record[1]) in owned]

    def rewind(self, batch: Iterable[Record]) -> None:
        """Read the batch again: every partition still owned goes back to its first offset."""
        for home, offset in first_offsets(batch).items():
            if home in self._owned:
                self._consumer.seek(KafkaPartition(home.topic, home.partition, offset))

    def commit(self, offsets: Offsets) -> None:
        """Commit next offsets and wait for the answer."""
        try:
            self._consumer.commit(offsets=kafka_offsets(offsets), asynchronous=False)
        except KafkaException as error:
            raise self._connection.translated(error) from error

    def group_metadata(self) -> Any:  # noqa: ANN401 - opaque to everyone but the producer
        """Who this member is in its group now: what fences a zombie's offsets (KIP-447)."""
        return self._consumer.consumer_group_metadata()

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting for a timeout."""
        self._consumer.close()

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() in HARMLESS:
            self._log.warning("consumer notice", notice=error.str())
            return False
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing(str(message.topic()))
        raise self._connection.translated(KafkaException(error))

    def _assigned(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        self._owned.update(TopicPartition(p.topic, p.partition) for p in partitions)
        self._log.info("partitions assigned", partitions=[p.partition for p in partitions])

    def _revoked(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        self._owned.difference_update(TopicPartition(p.topic, p.partition) for p in partitions)
        self._log.info("partitions revoked", partitions=[p.partition for p in partitions])


def read(message: Any) -> Record:  # noqa: ANN401 - a Message whose fields are known to be there
    """A client's message, delivered or received, as our record."""
    headers = message.headers()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(headers) if headers else (),
        message.timestamp()[1],
    )


def kafka_offsets(offsets: Offsets) -> list[KafkaPartition]:
    """Our offsets in the client's words."""
    return [KafkaPartition(home.topic, home.partition, next_) for home, next_ in offsets.items()]
