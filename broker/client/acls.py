"""Grants rights in the cluster by Kafka's access control lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.errors import RightsRefused

TIMEOUT_S = 30.0
KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
}
"""Kafka's names of kinds and operations, as `kafka-acls` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The right of a user to one operation on a resource, or on all whose names begin so."""

    user: str
    kind: Literal["topic", "group", "transactional-id"]
    name: str
    operation: str
    is_prefix: bool = False


def grant(connection: Connection, grants: Iterable[Grant]) -> None:
    """Add rights; those that exist already stay as they are.

    Raises:
        RightsRefused: the cluster did not add all of them.
    """
    client = AdminClient(client_config(connection, "modstream-acls"))
    futures = client.create_acls([to_binding(one) for one in grants], request_timeout=TIMEOUT_S)
    try:
        for future in futures.values():
            future.result(TIMEOUT_S)
    except KafkaException as error:
        raise RightsRefused(error.args[0].str()) from error


def to_binding(one: Grant) -> AclBinding:
    """Return a right as Kafka's client takes it."""
    pattern = ResourcePatternType.PREFIXED if one.is_prefix else ResourcePatternType.LITERAL
    operation, allow = OPERATIONS[one.operation], AclPermissionType.ALLOW
    principal = f"User:{one.user}"
    return AclBinding(KINDS[one.kind], one.name, pattern, principal, "*", operation, allow)
