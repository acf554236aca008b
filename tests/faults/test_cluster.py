"""Three brokers behind proxies: what the fault scenarios take for granted of them."""

import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.records import Outgoing, TopicPartition
from modstream.broker.wire.topics import TopicSpec
from tests.faults.cluster import Coordinator, await_
from tests.sample_records import publish

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.cluster]


def known(client, names):
    """All topics; none while the broker that is asked does not know these."""
    topics = client.list_topics(timeout=10).topics
    return topics if topics.keys() >= set(names) else {}


def described(client, names):
    """The settings of some topics; none while the broker that is asked does not know them all."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    try:
        return [future.result(10) for future in client.describe_configs(resources).values()]
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        return []


def test_every_topic_has_three_copies_of_which_two_must_be_there(cluster, prefix):
    topic = f"{prefix}words"
    Admin(Connection(cluster.bootstrap)).create([TopicSpec(topic, 3)])
    for kind in Coordinator:
        cluster.coordinator(kind, "anyone")
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    names = (topic, "__consumer_offsets", "__transaction_state")

    topics = await_(lambda: known(client, names), "the topics are known")
    configs = await_(lambda: described(client, names), "the topics are described")

    assert {len(p.replicas) for name in names for p in topics[name].partitions.values()} == {3}
    assert [config["min.insync.replicas"].value for config in configs] == ["2", "2", "2"]


def test_what_was_acknowledged_outlives_its_leader_and_others_take_over_what_that_coordinated(
    cluster, prefix
):
    topic, connection = f"{prefix}words", Connection(cluster.bootstrap)
    Admin(connection).create([TopicSpec(topic, 1)])
    for kind in Coordinator:
        cluster.coordinator(kind, "anyone")
    cluster.spread()
    home = TopicPartition(topic, 0)
    publish(connection, topic, [b"before"])

    killed = cluster.leader(home)
    led = {kind: coordinated_by(cluster, killed, kind) for kind in Coordinator}
    cluster.kill(killed)
    publish(connection, topic, [b"after"])
    leader = cluster.leader(home)
    for kind, key in led.items():
        await_(lambda kind=kind, key=key: cluster.coordinator(kind, key) != killed, "another one")
    coordinators = {cluster.coordinator(kind, key) for kind, key in led.items()}
    cluster.restart(killed)

    assert {leader, *coordinators} <= cluster.nodes.keys() - {killed}
    assert [record.value for record in read_to_end(connection, [topic])] == [b"before", b"after"]


def coordinated_by(cluster, node, kind):
    """A name whose coordinator a node is."""
    names = (f"somebody-{number}" for number in range(100))
    return next(name for name in names if cluster.coordinator(kind, name) == node)


def test_a_client_that_comes_by_the_proxies_never_leaves_them(cluster, prefix):
    topic, connection = f"{prefix}words", Connection(cluster.proxied)
    Admin(connection).create([TopicSpec(topic, 3)])
    proxies = cluster.proxies.values()

    with Publisher(connection) as publisher:
        for n in range(100):
            publisher.send(Outgoing(topic, b"key-%d" % n, b""))
        publisher.flush()
        for proxy in proxies:
            proxy.cut()
        for n in range(100):
            publisher.send(Outgoing(topic, b"key-%d" % n, b""))
        for proxy in proxies:
            proxy.heal()
        publisher.flush()

    assert [proxy.counts.cut > 0 for proxy in proxies] == [True] * 3
    assert len(list(read_to_end(connection, [topic]))) == 200


def test_who_asks_a_dead_leader_for_offsets_waits_for_another_and_takes_no_processor(
    cluster, prefix
):
    topic, admin = f"{prefix}words", Admin(Connection(cluster.bootstrap))
    admin.create([TopicSpec(topic, 1)])
    cluster.await_whole()
    killed = cluster.leader(TopicPartition(topic, 0))

    cluster.kill(killed)
    begun, spent = time.monotonic(), time.process_time()
    ends = admin.ends([topic])
    seconds, spent = time.monotonic() - begun, time.process_time() - spent
    cluster.restart(killed)

    assert ends == {TopicPartition(topic, 0): 0}
    assert seconds > 1, "the leader was dead indeed"
    assert spent < seconds / 4


def test_topics_are_ready_when_they_are_said_to_be_although_brokers_hear_of_them_in_turn(
    cluster, prefix
):
    admin = Admin(Connection(cluster.bootstrap))

    for number in range(10):
        topic = f"{prefix}words-{number}"
        admin.create([TopicSpec(topic, 12)])

        assert len(admin.ends([topic])) == 12
