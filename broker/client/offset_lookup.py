"""Looks up the offsets of partitions by time, robustly against dead leaders."""

from collections.abc import Sequence

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.errors import BrokerError, BrokerUnavailable, TopicMissing
from modstream.broker.wire.records import TopicPartition

LATEST, EARLIEST = -1, -2
"""Special timestamps: https://kafka.apache.org/protocol#The_Messages_ListOffsets"""
UNKNOWN_TOPIC_ERRORS = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
REQUEST_TIMEOUT_S = 3.0
"""Timeout of one request, in seconds. A client that asked a broker which then died keeps waiting
for it, even if another broker could answer."""


class OffsetLookup:
    """Looks up the first, last, or first sufficiently recent offset of partitions.

    The requests are sent by a consumer that never joins a group. The admin client instead connects
    to a dead leader again and again without a pause, and each one occupies a CPU core
    (docs/adr/0016). After a request without a response, the next one is sent by a new client, which
    has no stale metadata.
    """

    def __init__(self, connection: Connection, *, committed: bool) -> None:
        self._connection = connection
        self._config = client_config(connection, "modstream-lookup") | {
            "group.id": connection.reader_group,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
        }
        self._client: Consumer | None = None

    def __call__(
        self, partitions: Sequence[TopicPartition], time: int
    ) -> dict[TopicPartition, int]:
        """Return the offset of each partition's first record of `time` (ms) or later, -1 if none.

        With LATEST, return the next offset; for committed records, the last stable offset.

        Raises:
            TopicMissing: a leader does not know the topic. A new topic may be known to other
                brokers earlier than to its leader.
            BrokerUnavailable: a partition has no leader, or its leader did not respond.
        """
        if not partitions:
            return {}
        if self._client is None:
            self._client = Consumer(self._config)
        requested = [KafkaPartition(*partition, time) for partition in partitions]
        try:
            found = self._client.offsets_for_times(requested, timeout=REQUEST_TIMEOUT_S)
        except KafkaException as error:
            self._client = None
            raise self._translate(partitions[0].topic, error) from error
        return {TopicPartition(p.topic, p.partition): self._offset(p) for p in found}

    def _offset(self, found: KafkaPartition) -> int:
        if found.error is not None:
            raise self._translate(found.topic, KafkaException(found.error))
        if found.offset == OFFSET_INVALID:
            raise BrokerUnavailable(
                self._connection.bootstrap, "the partition's leader returned no offset"
            )
        return int(found.offset)

    def _translate(self, topic: str, error: KafkaException) -> BrokerError:
        if error.args[0].code() in UNKNOWN_TOPIC_ERRORS:
            return TopicMissing(topic)
        return self._connection.translate(error)
