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

from modstream.rights.formats import redis_rules
from modstream.rights.rights import KafkaRight, RedisRights, Rights

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
EVERYTHING = (
    *((kind, "*") for kind in KINDS.values()),
    (ResourceType.BROKER, "kafka-cluster"),
)


def allow_everything(owner, user):
    """Allow a user everything, as the owner of the cluster."""
    _create(owner, [_rule(user, kind, name, AclOperation.ALL) for kind, name in EVERYTHING])


def grant(owner, user, rights: Rights):
    """Grant a user the rights of a role in Kafka, as the owner of the cluster."""
    rules = [
        _rule(user, KINDS[right.kind], right.name, OPERATIONS[one], is_prefix=right.is_prefix)
        for right in rights.kafka
        for one in right.operations
    ]
    _create(owner, rules)


def revoke(owner, user, right: KafkaRight):
    """Take a right from a user, as the owner of the cluster."""
    rules = [
        _rule(user, KINDS[right.kind], right.name, OPERATIONS[one], is_prefix=right.is_prefix)
        for one in right.operations
    ]
    filters = [
        AclBindingFilter(
            *(rule.restype, rule.name, rule.resource_pattern_type, rule.principal),
            *(rule.host, rule.operation, rule.permission_type),
        )
        for rule in rules
    ]
    client = AdminClient({"bootstrap.servers": owner})
    for future in client.delete_acls(filters).values():
        assert future.result(10)


def grant_redis(owner: redis.Redis, user, password, rights: RedisRights | None):
    """Create a user of Redis with the rights of a role; none for a role that does not use it."""
    if rights is not None:
        rules = redis_rules(rights)
        owner.execute_command("ACL", "SETUSER", user, "reset", "on", f">{password}", *rules)


def _rule(user, kind, name, operation, *, is_prefix=False):
    pattern = ResourcePatternType.PREFIXED if is_prefix else ResourcePatternType.LITERAL
    principal, allow = f"User:{user}", AclPermissionType.ALLOW
    return AclBinding(kind, name, pattern, principal, "*", operation, allow)


def _create(owner, rules):
    client = AdminClient({"bootstrap.servers": owner})
    for future in client.create_acls(rules).values():
        future.result(10)
