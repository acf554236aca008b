"""Rights in a secured Kafka and Redis."""

import redis
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from modstream.broker.client import acls
from modstream.broker.client.connection import Connection
from modstream.containers.grants import user_grants
from modstream.rights.formats import redis_rules
from modstream.rights.rights import KafkaRight, RedisRights, Rights

EVERYTHING = (
    *((kind, "*") for kind in acls.KINDS.values()),
    (ResourceType.BROKER, "kafka-cluster"),
)


def allow_everything(owner, user):
    """Allow a user everything, as the owner of the cluster."""
    rules = [
        AclBinding(
            kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*",
            AclOperation.ALL, AclPermissionType.ALLOW,
        )
        for kind, name in EVERYTHING
    ]  # fmt: skip
    client = AdminClient({"bootstrap.servers": owner})
    for future in client.create_acls(rules).values():
        future.result(10)


def grant(owner, user, rights: Rights):
    """Grant a user the rights of a role in Kafka, as the owner of the cluster."""
    acls.grant(Connection(owner), user_grants(user, rights.kafka))


def revoke(owner, user, right: KafkaRight):
    """Take a right from a user, as the owner of the cluster."""
    filters = [
        AclBindingFilter(
            *(rule.restype, rule.name, rule.resource_pattern_type, rule.principal),
            *(rule.host, rule.operation, rule.permission_type),
        )
        for rule in map(acls.to_binding, user_grants(user, [right]))
    ]
    client = AdminClient({"bootstrap.servers": owner})
    for future in client.delete_acls(filters).values():
        assert future.result(10)


def grant_redis(owner: redis.Redis, user, password, rights: RedisRights | None):
    """Create a user of Redis with the rights of a role; none for a role that does not use it."""
    if rights is not None:
        rules = redis_rules(rights)
        owner.execute_command("ACL", "SETUSER", user, "reset", "on", f">{password}", *rules)
