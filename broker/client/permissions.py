"""What a login may do with topics and consumer groups, as the brokers say."""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import NamedTuple, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from modstream.broker.client.acls import OPERATIONS
from modstream.broker.client.connection import Connection, client_config

DENIED = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})
NAMES = {operation: name for name, operation in OPERATIONS.items()}
TIMEOUT_S = 10.0

Operations = frozenset[str]
"""Kafka's names of operations, such as DescribeConfigs."""


class Described(Protocol):
    """A description of a topic or a group."""

    authorized_operations: list[AclOperation] | None


class Permissions(NamedTuple):
    """What a login may do with each topic and group; left out are those of which nothing is known.

    Nothing is known of a topic that does not exist, and if the brokers do not say.
    """

    topics: Mapping[str, Operations]
    groups: Mapping[str, Operations]


def read_permissions(
    connection: Connection,
    topics: Collection[str],
    groups: Collection[str] = (),
    timeout_seconds: float = TIMEOUT_S,
) -> Permissions:
    """Return what this login may do with topics, and with consumer groups, which need not exist."""
    client = AdminClient(client_config(connection, "modstream-permissions"))
    options = {"include_authorized_operations": True, "request_timeout": timeout_seconds}
    of_topics = client.describe_topics(TopicCollection(list(topics)), **options) if topics else {}
    of_groups = client.describe_consumer_groups(list(groups), **options) if groups else {}
    return Permissions(_operations(of_topics), _operations(of_groups))


def may_write(connection: Connection, topic: str) -> bool:
    """Return whether this login may write a topic; true if the brokers do not say."""
    operations = read_permissions(connection, [topic]).topics.get(topic)
    return operations is None or "Write" in operations


def _operations(described: Mapping[str, Future[Described]]) -> Mapping[str, Operations]:
    found = {}
    for name, description in described.items():
        try:
            operations = description.result().authorized_operations
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() in DENIED:
                found[name] = Operations()
            elif cause.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                structlog.get_logger(__name__).warning(
                    "permissions not read", of=name, cause=cause.str()
                )
        else:
            if operations:  # A login without any operation is refused instead.
                found[name] = Operations(NAMES[one] for one in operations if one in NAMES)
    return found
