"""The cluster of three brokers behind proxies: what the fault scenarios assume about it."""

import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import TopicSpec
from tests.faults.cluster import Cluster, CoordinatorType, wait_for
from tests.sample_records import publish

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.cluster]


def known(client, names):
    """Return all topics, or none while the broker asked does not know these."""
    topics = client.list_topics(timeout=10).topics
    return topics if topics.keys() >= set(names) else {}


def described(client, names):
    """Return the settings of some topics, or none while the broker asked does not know them all."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    try:
        return [future.result(10) for future in client.describe_configs(resources).values()]
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        return []


def test_every_topic_has_three_replicas_of_which_two_must_be_in_sync(cluster: Cluster, prefix):
    topic = f"{prefix}words"
    Admin(Connection(cluster.bootstrap)).create([TopicSpec(topic, 3)])
    for kind in CoordinatorType:
        cluster.coordinator(kind, "any-group")
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    names = (topic, "__consumer_offsets", "__transaction_state")

    topics = wait_for(lambda: known(client, names), "the topics are known")
    configs = wait_for(lambda: described(client, names), "the topics are described")

    assert {len(p.replicas) for name in names for p in topics[name].partitions.values()} == {3}
    assert [config["min.insync.replicas"].value for config in configs] == ["2", "2", "2"]


def test_acknowledged_records_outlive_their_leader_and_other_nodes_become_coordinators(
    cluster: Cluster, prefix
):
    topic, connection = f"{prefix}words", Connection(cluster.bootstrap)
    Admin(connection).create([TopicSpec(topic, 1)])
    for kind in CoordinatorType:
        cluster.coordinator(kind, "any-group")
    cluster.elect_preferred_leaders()
    partition = TopicPartition(topic, 0)
    publish(connection, topic, [b"before"])

    killed = cluster.leader(partition)
    coordinated = {kind: coordinated_by(cluster, killed, kind) for kind in CoordinatorType}
    with cluster.without(killed):
        publish(connection, topic, [b"after"])
        leader = cluster.leader(partition)
        for kind, key in coordinated.items():
            wait_for(
                lambda kind=kind, key=key: cluster.coordinator(kind, key) != killed,
                "another coordinator",
            )
        coordinators = {cluster.coordinator(kind, key) for kind, key in coordinated.items()}

    assert {leader, *coordinators} <= cluster.nodes.keys() - {killed}
    assert [record.value for record in read_to_end(connection, [topic])] == [b"before", b"after"]


def coordinated_by(cluster: Cluster, node, kind):
    """Return a group or transactional id whose coordinator is this node."""
    names = (f"group-{number}" for number in range(100))
    return next(name for name in names if cluster.coordinator(kind, name) == node)


def test_a_client_of_the_proxies_never_connects_to_a_broker_directly(cluster: Cluster, prefix):
    topic, connection = f"{prefix}words", Connection(cluster.proxied)
    Admin(connection).create([TopicSpec(topic, 3)])
    proxies = cluster.proxies.values()

    with Publisher(connection) as publisher:
        for n in range(100):
            publisher.send(ProducerRecord(topic, b"key-%d" % n, b""))
        publisher.flush()
        for proxy in proxies:
            proxy.cut()
        for n in range(100):
            publisher.send(ProducerRecord(topic, b"key-%d" % n, b""))
        for proxy in proxies:
            proxy.heal()
        publisher.flush()

    assert [proxy.counts.cut > 0 for proxy in proxies] == [True] * 3
    assert len(list(read_to_end(connection, [topic]))) == 200


def test_a_query_of_offsets_waits_for_a_new_leader_without_using_the_processor(
    cluster: Cluster, prefix
):
    topic, admin = f"{prefix}words", Admin(Connection(cluster.bootstrap))
    admin.create([TopicSpec(topic, 1)])
    cluster.wait_in_sync()
    killed = cluster.leader(TopicPartition(topic, 0))

    with cluster.without(killed):
        started, spent = time.monotonic(), time.process_time()
        ends = admin.end_offsets([topic])
        seconds, spent = time.monotonic() - started, time.process_time() - spent

    assert ends == {TopicPartition(topic, 0): 0}
    assert seconds > 1, "the leader was dead"
    assert spent < seconds / 4


def test_created_topics_are_ready_although_brokers_learn_of_them_at_different_times(
    cluster: Cluster, prefix
):
    admin = Admin(Connection(cluster.bootstrap))

    for number in range(10):
        topic = f"{prefix}words-{number}"
        admin.create([TopicSpec(topic, 12)])

        assert len(admin.end_offsets([topic])) == 12
