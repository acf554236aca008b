"""What a client may do with a topic, on a Kafka with access control."""

import time

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.permissions import may_write
from modstream.broker.wire.topics import TopicSpec
from modstream.stack.embedded import EmbeddedKafka, EmbeddedServer

TIMEOUT_SECONDS = 20
AUTHORIZER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


class AuthorizingKafka(EmbeddedKafka):
    """A Kafka that permits what no rule denies."""

    def _properties(self):
        return super()._properties() + AUTHORIZER


def deny_writing(connection, topic):
    rule = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
        AclOperation.WRITE, AclPermissionType.DENY,
    )  # fmt: skip
    allow = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
        AclOperation.ALL, AclPermissionType.ALLOW,
    )  # fmt: skip
    client = AdminClient({"bootstrap.servers": connection.bootstrap})
    for future in client.create_acls([rule, allow]).values():
        future.result(TIMEOUT_SECONDS)
    # The controller has the rules now; the broker learns of them a moment later.
    rules_of_topic = AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None,
        AclOperation.ANY, AclPermissionType.ANY,
    )  # fmt: skip
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(client.describe_acls(rules_of_topic).result(TIMEOUT_SECONDS)) < 2:
        assert time.monotonic() < deadline, "the broker does not learn of the rules"


@pytest.mark.real
def test_denied_permission_is_known(tmp_path):
    with EmbeddedServer(AuthorizingKafka(tmp_path)) as server:
        connection = Connection(server.url)
        Admin(connection).create([TopicSpec("open", 1), TopicSpec("denied", 1)])
        deny_writing(connection, "denied")

        assert may_write(connection, "open")
        assert not may_write(connection, "denied")


@pytest.mark.real
def test_cluster_without_access_control_permits_everything(bootstrap, prefix):
    connection, topic = Connection(bootstrap), f"{prefix}any"
    Admin(connection).create([TopicSpec(topic, 1)])

    assert may_write(connection, topic)


@pytest.mark.real
def test_topic_that_does_not_exist_counts_as_permitted(bootstrap, prefix):
    assert may_write(Connection(bootstrap), f"{prefix}none")
