"""The administration client, against a real cluster."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import transactional_config
from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import (
    BrokerUnavailable,
    TopicMissing,
    TopicRefused,
    TransactionOpen,
)
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real


def test_creating_topics_twice_creates_them_once(connection, prefix):
    specs = [TopicSpec(f"{prefix}a", 3), TopicSpec(f"{prefix}b", 1, {"cleanup.policy": "compact"})]
    admin = Admin(connection)

    assert sorted(admin.create(specs)) == [f"{prefix}a", f"{prefix}b"]
    assert admin.create(specs) == []
    assert [(t.name, t.partitions) for t in admin.topics(prefix)] == [
        (f"{prefix}a", 3),
        (f"{prefix}b", 1),
    ]


def test_a_topic_with_invalid_settings_is_refused(connection, prefix):
    with pytest.raises(TopicRefused, match=r"retention\.ms"):
        Admin(connection).create([TopicSpec(f"{prefix}a", 1, {"retention.ms": "soon"})])


def test_the_retention_of_a_topic_is_that_of_the_cluster(connection, prefix):
    admin = Admin(connection)
    admin.create([TopicSpec(f"{prefix}a", 1, {"retention.ms": "5000"})])

    assert admin.retention_ms(f"{prefix}a") == 5000
    with pytest.raises(TopicMissing):
        admin.retention_ms(f"{prefix}b")


def test_a_deleted_topic_is_missing(connection, topic):
    Admin(connection).delete([topic])

    with pytest.raises(TopicMissing):
        Admin(connection).end_offsets([topic])


def test_a_topic_that_one_broker_does_not_know_yet_is_looked_for_again(
    connection, topic, monkeypatch
):
    admin = Admin(connection)
    metadata = [{}, {}, admin._metadata()]
    monkeypatch.setattr(admin, "_metadata", lambda: metadata.pop(0))

    assert len(admin.end_offsets([topic])) == 8
    assert metadata == []


def test_offsets_since_a_time_do_not_depend_on_the_order_of_records(connection, topic):
    with Publisher(connection) as publisher:
        for time in (500, 100, 400, 300, 200):
            publisher.send(ProducerRecord(topic, b"k", b"%d" % time, timestamp=time))
        publisher.flush()
    partition = TopicPartition(topic, partition_for_key(b"k", 8))
    admin = Admin(connection)

    found = [admin.offsets_since([topic], time)[partition] for time in (0, 100, 450, 501)]
    assert found == [0, 0, 0, 5]
    ends = admin.end_offsets([topic])
    assert admin.offsets_since([topic], 100) | {partition: 0} == ends | {partition: 0}


def open_transaction(connection, transactional_id, topic, key=None):
    """Return a producer that has written one record in a transaction that is still open."""
    producer = Producer(transactional_config(connection, transactional_id))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"undecided", key)
    producer.flush()
    return producer


def test_open_transactions_are_waited_for(connection, topic, prefix):
    producer = open_transaction(connection, f"{prefix}slow", topic)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Admin(connection).wait_for_transactions, [topic])
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        producer.abort_transaction()
        waiting.result(20)


def test_a_transaction_that_stays_open_is_an_error(connection, topic, prefix, monkeypatch):
    monkeypatch.setattr("modstream.broker.client.admin.TRANSACTIONS_TIMEOUT_S", 0.3)
    producer = open_transaction(connection, f"{prefix}slow", topic)

    with pytest.raises(TransactionOpen, match=topic):
        Admin(connection).wait_for_transactions([topic])
    producer.abort_transaction()


def test_the_committed_end_offset_is_before_an_open_transaction(connection, topic):
    admin, partition = Admin(connection), TopicPartition(topic, partition_for_key(b"k", 8))
    producer = open_transaction(connection, f"{topic}-writer", topic, b"k")

    assert admin.end_offsets([topic])[partition] == 1
    assert admin.end_offsets([topic], committed=True)[partition] == 0

    producer.commit_transaction()
    admin.wait_for_transactions([topic])
    committed = admin.end_offsets([topic], committed=True)
    assert committed[partition] == admin.end_offsets([topic])[partition] == 2


def test_a_request_without_a_response_in_time_is_an_error(connection, monkeypatch):
    monkeypatch.setattr("modstream.broker.client.admin.ADMIN_TIMEOUT_S", 0.01)

    with pytest.raises(BrokerUnavailable, match=r"no answer within 0\.01 s"):
        Admin(connection)._wait_for(Future())


class FirstRequestLost:
    """A client whose first request is lost, because a broker turns out to be another one."""

    def __init__(self, client):
        self._client = client
        self.requests = 0

    def list_topics(self, **options):
        return self._client.list_topics(**options)

    def create_topics(self, topics, **options):
        self.requests += 1
        if self.requests > 1:
            return self._client.create_topics(topics, **options)
        futures = {topic.topic: Future() for topic in topics}
        for future in futures.values():
            future.set_exception(KafkaException(KafkaError(KafkaError._DESTROY_BROKER)))
        return futures


def test_topics_are_created_although_a_request_is_lost(connection, prefix):
    admin = Admin(connection)
    admin._client = FirstRequestLost(admin._client)

    assert admin.create([TopicSpec(f"{prefix}words", 1)]) == [f"{prefix}words"]
    assert admin._client.requests == 2


class UnansweredConsumer:
    """A client whose requests time out."""

    def offsets_for_times(self, partitions, timeout):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_a_client_whose_request_timed_out_is_replaced(connection, topic):
    admin = Admin(connection)
    admin._lookups[False]._client = UnansweredConsumer()

    assert len(admin.end_offsets([topic])) == 8


def test_lag_is_the_number_of_uncommitted_records(connection, topic, prefix):
    admin = Admin(connection)
    with Publisher(connection) as publisher:
        for n in range(12):
            publisher.send(ProducerRecord(topic, b"%d" % n, b""))
        publisher.flush()

    assert sum(admin.lag(f"{prefix}unused-group", [topic]).values()) == 12
