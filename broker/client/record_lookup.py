"""Finds single records by their position."""

from time import monotonic

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, reader_config
from modstream.broker.client.consumer_errors import RETRIED_ERRORS, UNUSED_GROUP
from modstream.broker.client.conversions import to_record
from modstream.broker.client.offset_skipper import UNREADABLE_ERRORS
from modstream.broker.client.reader import METADATA_TIMEOUT_S
from modstream.broker.errors import BrokerUnavailable, RightMissing
from modstream.broker.wire.records import Record, TopicPartition

READ_AHEAD = 100
"""Records that are read at once: those that are looked up together mostly follow each other."""
LINGER_S = 0.003


class RecordLookup:
    """Finds committed records of a topic; its client is created by the first search.

    Between two searches it fetches nothing. It is not for use by several threads.
    """

    def __init__(self, connection: Connection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._consumer: Consumer | None = None
        self._partitions: frozenset[int] = frozenset()
        self._recent: dict[tuple[int, int], Record] = {}

    def find(self, partition: TopicPartition, offset: int) -> Record | None:
        """Return the record at an offset; None if the topic has none there.

        Raises:
            RightMissing: the login may not read the topic.
            BrokerError: the client failed, or no broker responded.
        """
        number = partition.partition
        if partition.topic != self._topic:
            return None
        if (number, offset) not in self._recent:
            self._recent = {}
            try:
                if self._is_retained(number, offset):
                    self._recent = self._read_from(number, offset)
            except KafkaException as error:
                raise self._connection.translate(error) from error
        return self._recent.get((number, offset))

    def close(self) -> None:
        """Close the connections."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _client(self) -> Consumer:
        if self._consumer is None:
            config = reader_config(self._connection, "modstream-lookup", committed=True)
            self._consumer = Consumer(config)
        return self._consumer

    def _is_retained(self, number: int, offset: int) -> bool:
        """Return whether a partition exists, and an offset is between its first and its last."""
        consumer = self._client()
        if number not in self._partitions:
            found = consumer.list_topics(self._topic, timeout=METADATA_TIMEOUT_S)
            metadata = found.topics[self._topic]
            error = metadata.error
            if error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise RightMissing(f"to read the topic {self._topic}")
            self._partitions = frozenset(metadata.partitions)
        if number not in self._partitions:
            return False
        wanted = KafkaPartition(self._topic, number)
        first, end = consumer.get_watermark_offsets(wanted, timeout=METADATA_TIMEOUT_S)
        return bool(first <= offset < end)

    def _read_from(self, number: int, offset: int) -> dict[tuple[int, int], Record]:
        """Return the records that begin at an offset, by partition and offset."""
        consumer = self._client()
        consumer.assign([KafkaPartition(self._topic, number, offset)])
        try:
            deadline = monotonic() + METADATA_TIMEOUT_S
            while monotonic() < deadline:
                messages = consumer.consume(1, 0.2)
                if messages and (error := messages[0].error()) is not None:
                    if error.code() in UNREADABLE_ERRORS | {KafkaError._PARTITION_EOF}:
                        return {}
                    if error.code() not in RETRIED_ERRORS | UNUSED_GROUP:
                        raise KafkaException(error)
                elif messages:
                    messages += consumer.consume(READ_AHEAD - 1, LINGER_S)
                    records = [to_record(one) for one in messages if one.error() is None]
                    return {(one.partition, one.offset): one for one in records}
        finally:
            consumer.unassign()
        raise BrokerUnavailable(self._connection.bootstrap, f"{self._topic} cannot be read")
