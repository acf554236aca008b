"""Notices that Kafka does not answer, and that topics have got more partitions."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from threading import Event

from modstream.broker.client.connection import Connection
from modstream.broker.client.metadata_probe import MetadataProbe
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import TopicPartition

INTERVAL_S = 5.0
"""Time between two questions."""
TIMEOUT_S = 8.0
"""Time that Kafka has to answer. Other requests are repeated for longer: they wait for elections of
leaders."""


class BrokerWatch:
    """Asks Kafka for the partitions of topics every `INTERVAL_S`.

    `run` is the target of one background thread. The other members may be read by any thread.

    Attributes:
        error: why the last question has got no answer, None if it has.
        partitions: the number of partitions by topic, as the last answer says.
    """

    def __init__(self, connection: Connection, topics: Sequence[str]) -> None:
        self._probe = MetadataProbe(connection)
        self._topics = tuple(topics)
        self.error: BrokerError | None = None
        self.partitions: Mapping[str, int] = {}

    def run(self, stop: Event) -> None:
        """Ask until `stop` is set."""
        while not stop.is_set():
            try:
                self.partitions = self._probe.count_partitions(self._topics, TIMEOUT_S)
                self.error = None
            except BrokerError as error:
                self.error = error
            stop.wait(INTERVAL_S)

    def has_more_than(self, partitions: Collection[TopicPartition]) -> bool:
        """Return whether the topics of some partitions have got further ones."""
        counts = Counter(partition.topic for partition in partitions)
        return any(self.partitions.get(topic, 0) > count for topic, count in counts.items())
