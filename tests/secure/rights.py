"""Rights in a secured Kafka."""

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)


def allow_everything(owner, user):
    """Allow a user everything, as the owner of the cluster."""
    rules = [
        AclBinding(kind, "*" if kind is not ResourceType.BROKER else "kafka-cluster",
                   ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation.ALL,
                   AclPermissionType.ALLOW)
        for kind in (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID,
                     ResourceType.BROKER)
    ]  # fmt: skip
    client = AdminClient({"bootstrap.servers": owner})
    for future in client.create_acls(rules).values():
        future.result(10)
