"""What this client may do with a topic, as far as the cluster tells it."""

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from modstream.broker.client.connection import Connection, client_config

TIMEOUT_S = 10.0


def may_write(connection: Connection, topic: str) -> bool:
    """Return whether this client may write a topic.

    A cluster that does not tell, or does not answer, counts as one that permits it; the latter is
    logged as a warning.
    """
    client = AdminClient(client_config(connection, "modstream-permissions"))
    answers = client.describe_topics(
        TopicCollection([topic]), include_authorized_operations=True, request_timeout=TIMEOUT_S
    )
    try:
        operations = answers[topic].result(TIMEOUT_S).authorized_operations
    except (KafkaException, TimeoutError) as error:
        structlog.get_logger(__name__).warning(
            "permissions not read", topic=topic, cause=str(error)
        )
        return True
    return not operations or AclOperation.WRITE in operations
