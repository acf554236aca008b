"""Offsets by time, asked of the partitions' leaders by a client that is patient with the dead."""

from collections.abc import Sequence

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.errors import BrokerError, BrokerUnavailable, TopicMissing
from modstream.broker.wire.records import TopicPartition

LATEST, EARLIEST = -1, -2
"""What stands for a time: https://kafka.apache.org/protocol#The_Messages_ListOffsets"""
UNKNOWN = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
QUESTION = 3.0
"""Bound of one question. Who asked a broker that has died waits for it, though there is another."""


class Lookup:
    """Asks where partitions begin, end, or reach a time.

    It asks by a consumer that never joins: the administration's own client connects to a dead
    leader again and again without a pause, and takes a processor each (docs/adr/0016). After a
    question that nobody answered the next is asked by a new client, which knows nothing false.
    """

    def __init__(self, connection: Connection, *, committed: bool) -> None:
        self._connection = connection
        self._config = client_config(connection, "modstream-lookup") | {
            "group.id": "modstream-lookup",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
        }
        self._client: Consumer | None = None

    def __call__(self, homes: Sequence[TopicPartition], time: int) -> dict[TopicPartition, int]:
        """The offset of each partition's first record of `time` (ms) or later; -1 if there is none.

        With LATEST the next offset; of committed records it is the last stable one.

        Raises:
            TopicMissing: a leader does not know the topic; it may hear of it after others do.
            BrokerUnavailable: a leader did not answer, or there is none.
        """
        if not homes:
            return {}
        if self._client is None:
            self._client = Consumer(self._config)
        asked = [KafkaPartition(home.topic, home.partition, time) for home in homes]
        try:
            answers = self._client.offsets_for_times(asked, timeout=QUESTION)
        except KafkaException as error:
            self._client = None
            raise self._translated(homes[0].topic, error) from error
        return {TopicPartition(p.topic, p.partition): self._offset(p) for p in answers}

    def _offset(self, answer: KafkaPartition) -> int:
        if answer.error is not None:
            raise self._translated(answer.topic, KafkaException(answer.error))
        if answer.offset == OFFSET_INVALID:
            raise BrokerUnavailable(self._connection.bootstrap, "its leader named no offset")
        return int(answer.offset)

    def _translated(self, topic: str, error: KafkaException) -> BrokerError:
        if error.args[0].code() in UNKNOWN:
            return TopicMissing(topic)
        return self._connection.translated(error)
