"""What a login may do with topics and consumer groups, as the brokers say."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from modstream.broker.client.connection import Connection, client_config

DENIED = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})

TIMEOUT_S = 10.0

Operations = frozenset[str]
"""Kafka's names of operations, such as DescribeConfigs."""


class Described(Protocol):
    """A description of a topic or a group."""

    authorized_operations: list[AclOperation] | None


def topic_permissions(
    connection: Connection, topics: Collection[str], timeout_seconds: float
) -> Mapping[str, Operations]:
    """Return what this login may do with each topic.

    A topic is left out if it does not exist, or if the brokers do not say.
    """

    def describe(client: AdminClient) -> Mapping[str, Future[Described]]:
        return client.describe_topics(
            TopicCollection(list(topics)),
            include_authorized_operations=True,
            request_timeout=timeout_seconds,
        )

    return _permissions(connection, describe) if topics else {}


def group_permissions(
    connection: Connection, groups: Collection[str], timeout_seconds: float
) -> Mapping[str, Operations]:
    """Return what this login may do with each consumer group, which need not exist.

    A group is left out if the brokers do not say.
    """

    def describe(client: AdminClient) -> Mapping[str, Future[Described]]:
        return client.describe_consumer_groups(
            list(groups), include_authorized_operations=True, request_timeout=timeout_seconds
        )

    return _permissions(connection, describe) if groups else {}


def may_write(connection: Connection, topic: str) -> bool:
    """Return whether this login may write a topic; true if the brokers do not say."""
    operations = topic_permissions(connection, [topic], TIMEOUT_S).get(topic)
    return operations is None or "Write" in operations


def _permissions(
    connection: Connection, describe: Callable[[AdminClient], Mapping[str, Future[Described]]]
) -> Mapping[str, Operations]:
    client = AdminClient(client_config(connection, "modstream-permissions"))
    found = {}
    for name, described in describe(client).items():
        try:
            operations = described.result().authorized_operations
        except KafkaException as error:
            if error.args[0].code() in DENIED:
                found[name] = Operations()
        else:
            if operations:  # A login without any operation is refused instead.
                found[name] = Operations(map(_kafka_name, operations))
    return found


def _kafka_name(operation: AclOperation) -> str:
    """Return Kafka's own name of an operation: DESCRIBE_CONFIGS is DescribeConfigs."""
    return operation.name.replace("_", " ").title().replace(" ", "")
