"""The members of consumer groups."""

from dataclasses import dataclass

import stamina
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.errors import BrokerUnavailable
from modstream.broker.wire.records import TopicPartition

GROUP_TIMEOUT_S = 15.0
"""Timeout of one request, and of its retries."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a consumer group, and the partitions that it has; none during a rebalance."""

    client: str
    host: str
    partitions: tuple[TopicPartition, ...]


@stamina.retry(
    on=BrokerUnavailable, attempts=None, timeout=GROUP_TIMEOUT_S, wait_initial=0.02, wait_max=0.5
)
def group_members(connection: Connection, group: str) -> list[GroupMember]:
    """Return the members of a consumer group; an empty result if the group does not exist.

    Each call uses a client of its own: after a timeout of this request, the client crashes the
    process when the broker of the request disconnects
    (https://github.com/confluentinc/librdkafka/issues/4605).

    Raises:
        BrokerUnavailable: no broker responded in time.
        BrokerError: the request was refused.
    """
    client = AdminClient(client_config(connection, "modstream-members"))
    try:
        found = client.describe_consumer_groups([group])[group].result(GROUP_TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        raise connection.translate(error) from error
    except TimeoutError as error:
        reason = f"no answer within {GROUP_TIMEOUT_S:g} s"
        raise BrokerUnavailable(connection.bootstrap, reason) from error
    return [
        GroupMember(
            member.client_id,
            member.host,
            tuple(TopicPartition(p.topic, p.partition) for p in member.assignment.topic_partitions),
        )
        for member in found.members
    ]
