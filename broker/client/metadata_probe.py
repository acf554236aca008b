"""A question that a cluster answers at once, to notice that it does not answer."""

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from modstream.broker.client.connection import Connection, client_config


class MetadataProbe:
    """Asks for the partitions of topics, once and without retries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = AdminClient(client_config(connection, "modstream-probe"))

    def count_partitions(self, topics: Sequence[str], timeout: float) -> dict[str, int]:
        """Return the number of partitions of each of some topics, as far as they exist.

        Raises:
            BrokerError: no broker has answered within `timeout` seconds.
        """
        try:
            found = self._client.list_topics(timeout=timeout).topics
        except KafkaException as error:
            raise self._connection.translate(error) from error
        return {name: len(found[name].partitions) for name in topics if name in found}
