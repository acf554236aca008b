"""Two ways to deliver responses and offsets: in one transaction, or the responses first.

"Exactly once" refers to the topics, as seen by readers of committed records, and has the limits of
Kafka's transaction protocol of clients before KIP-890 (docs/delivery.md describes them).
"""

from collections.abc import Iterable, Sequence
from functools import partial

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import BATCH_FLUSH_CONFIG, Connection, producer_config
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.conversions import to_kafka_offsets
from modstream.broker.client.produce import produce_records
from modstream.broker.client.topic_limits import read_record_limits
from modstream.broker.client.transactions import (
    CALL_TIMEOUT_S,
    SIZE_ERRORS,
    TransactionalProducer,
    call_with_timeout,
    retry_retriable,
)
from modstream.broker.errors import DeliveryFailed, OversizeRecord, RecordsOversize
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import ProducerRecord, Record, next_offsets

PRODUCER_COUNT = 2
"""The number of transactional producers that alternate."""


class ExactlyOnce:
    """Consume-process-produce in Kafka transactions (KIP-98, KIP-447).

    The order of a delivery:
      1. begin the transaction
      2. produce every record
      3. send the batch's next offsets to the transaction
      4. commit, which flushes first

    Producing before sending offsets takes the short retry path of a transaction that directly
    follows another one (https://github.com/confluentinc/confluent-kafka-python/issues/967).

    Two producers alternate: while the coordinator completes the last transaction of one, the other
    begins the next one (docs/adr/0006). Two transactions are never open at once. A producer whose
    connection broke is replaced at once: should this worker be a zombie, Kafka fences it by the
    generation of its group.
    """

    def __init__(
        self, connection: Connection, transactional_id: str, source: GroupConsumer
    ) -> None:
        self._source = source
        self._sizes = SizeLearner(connection, source.limits)
        self._producers = [
            TransactionalProducer(
                connection, f"{transactional_id}.{number}", source.limits.smallest
            )
            for number in range(PRODUCER_COUNT)
        ]

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Deliver one batch in one transaction."""
        records = tuple(records)
        try:
            self._deliver(records, batch)
        except RecordsOversize:
            self._sizes.learn(records)
            # The smaller limit holds for the batches of both producers.
            self._producers = [self._replacement(producer) for producer in self._producers]
            raise

    def _deliver(self, records: Sequence[ProducerRecord], batch: Sequence[Record]) -> None:
        while self._producers[0].needs_replacement:
            self._producers[0] = self._replacement(self._producers[0])
        with self._producers[0].transaction() as producer:  # Step 1, and step 4 at the end.
            produce_records(producer, records)  # Step 2.
            offsets, group = to_kafka_offsets(next_offsets(batch)), self._source.group_metadata()
            send = partial(producer.send_offsets_to_transaction, offsets, group, CALL_TIMEOUT_S)
            retry_retriable(lambda: call_with_timeout(send))  # Step 3.
        self._producers.reverse()

    def _replacement(self, producer: TransactionalProducer) -> TransactionalProducer:
        return producer.open_replacement(self._source.limits.smallest)

    def close(self) -> None:
        """Close the producers; no record is pending between two deliveries."""
        for producer in self._producers:
            producer.close()


class SizeLearner:
    """Learns the limits of the topics of records that a broker has refused as too large.

    The limit of a topic can be lowered at any time. The batch is then handled again, and measured
    by the new limit.
    """

    def __init__(self, connection: Connection, limits: RecordLimits) -> None:
        self._connection = connection
        self._limits = limits

    def learn(self, refused: Sequence[ProducerRecord]) -> None:
        """Read the limits of the records' topics; where that changes nothing, lower them."""
        topics = {record.topic for record in refused}
        before = {topic: self._limits.of(topic) for topic in topics}
        self._limits.update(read_record_limits(Admin(self._connection), topics))
        after = {topic: self._limits.of(topic) for topic in topics}
        if after == before:
            self._limits.lower(refused)
            after = {topic: self._limits.of(topic) for topic in topics}
        structlog.get_logger(__name__).warning("records refused as too large", limits=after)


class AtLeastOnce:
    """Responses first, offsets after them: the lowest latency.

    A crash in between repeats responses.
    """

    def __init__(self, connection: Connection, client_id: str, source: GroupConsumer) -> None:
        self._source = source
        self._connection = connection
        self._client_id = client_id
        self._sizes = SizeLearner(connection, source.limits)
        self._producer = self._open()

    def _open(self) -> Producer:
        # Only failures are reported: a call into Python took 0.3 us per record.
        options = {**BATCH_FLUSH_CONFIG, "delivery.report.only.error": True}
        config = producer_config(self._connection, self._client_id, self._source.limits.smallest)
        return Producer({**config, **options})

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Deliver one batch: produce, wait for every acknowledgement, commit the offsets."""
        failures: list[DeliveryFailed] = []

        def note_failure(error: KafkaError | None, message: object) -> None:
            if error is not None:
                kind = OversizeRecord if error.code() in SIZE_ERRORS else DeliveryFailed
                failures.append(kind(str(message), error.str()))

        records = tuple(records)
        try:
            produce_records(self._producer, records, note_failure)
        except KafkaException as error:
            note_failure(error.args[0], "the topic of a response")
        self._producer.flush()
        if any(isinstance(failure, OversizeRecord) for failure in failures):
            self._sizes.learn(records)
            self._producer = self._open()
        if failures:
            raise failures[0]
        self._source.commit(next_offsets(batch))

    def close(self) -> None:
        """Wait for pending records, at most 5 s."""
        self._producer.flush(5)
