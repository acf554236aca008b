"""The Kafka clients against a real cluster."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import KafkaError, KafkaException, Producer

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import (
    Connection,
    consumer_config,
    producer_config,
    transactional_config,
)
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.errors import (
    BrokerUnavailable,
    DeliveryFailed,
    DeliveryPending,
    TopicMissing,
    TopicRefused,
    Undecided,
)
from modstream.broker.wire.partitioner import partition_of
from modstream.broker.wire.records import Outgoing, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real


@pytest.fixture
def topic(connection, prefix):
    name = f"{prefix}words"
    Admin(connection).create([TopicSpec(name, 8)])
    return name


def test_creating_topics_twice_creates_them_once(connection, prefix):
    specs = [TopicSpec(f"{prefix}a", 3), TopicSpec(f"{prefix}b", 1, {"cleanup.policy": "compact"})]
    admin = Admin(connection)

    assert sorted(admin.create(specs)) == [f"{prefix}a", f"{prefix}b"]
    assert admin.create(specs) == []
    assert [(t.name, t.partitions) for t in admin.topics(prefix)] == [
        (f"{prefix}a", 3),
        (f"{prefix}b", 1),
    ]


def test_a_topic_with_impossible_settings_is_refused(connection, prefix):
    with pytest.raises(TopicRefused, match=r"retention\.ms"):
        Admin(connection).create([TopicSpec(f"{prefix}a", 1, {"retention.ms": "soon"})])


def test_a_deleted_topic_is_gone(connection, topic):
    Admin(connection).delete([topic])

    with pytest.raises(TopicMissing):
        Admin(connection).ends([topic])


def test_records_since_a_time_are_found_in_whatever_order_they_were_written(connection, topic):
    with Publisher(connection) as publisher:
        for time in (500, 100, 400, 300, 200):
            publisher.send(Outgoing(topic, b"k", b"%d" % time, timestamp=time))
        publisher.flush()
    home = TopicPartition(topic, partition_of(b"k", 8))
    admin = Admin(connection)

    assert [admin.since([topic], time)[home] for time in (0, 100, 450, 501)] == [0, 0, 0, 5]
    assert admin.since([topic], 100) | {home: 0} == admin.ends([topic]) | {home: 0}


def test_an_open_transaction_is_waited_for(connection, topic, prefix):
    producer = Producer(transactional_config(connection, f"{prefix}slow"))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"undecided")
    producer.flush()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Admin(connection).await_decided, [topic])
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        producer.abort_transaction()
        waiting.result(20)


def test_a_transaction_that_never_ends_is_told(connection, topic, prefix, monkeypatch):
    monkeypatch.setattr("modstream.broker.client.admin.DECIDED", 0.3)
    producer = Producer(transactional_config(connection, f"{prefix}slow"))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"undecided")
    producer.flush()

    with pytest.raises(Undecided, match=topic):
        Admin(connection).await_decided([topic])
    producer.abort_transaction()


def test_nobody_at_the_bootstrap_servers_is_told_in_one_sentence():
    with pytest.raises(BrokerUnavailable, match="no Kafka broker answers at"):
        Reader(Connection("127.0.0.1:1", {"socket.connection.setup.timeout.ms": "1000"}), ["t"])


def test_keys_go_to_the_same_partition_as_from_java_and_aiokafka(connection, topic):
    keys = [f"key-{n}".encode() for n in range(2000)]

    async def by_aiokafka():
        producer = AIOKafkaProducer(bootstrap_servers=connection.bootstrap)
        await producer.start()
        try:
            sent = [await producer.send(topic, b"", key=key) for key in keys]
            return {key: (await one).partition for key, one in zip(keys, sent, strict=True)}
        finally:
            await producer.stop()

    theirs = asyncio.run(by_aiokafka())
    ours = {}
    with Publisher(connection) as publisher:
        for key in keys:
            publisher.send(
                Outgoing(topic, key, b""), lambda d: ours.update({d.record.key: d.record.partition})
            )
        publisher.flush()

    assert ours == theirs
    assert ours == {key: partition_of(key, 8) for key in keys}


def test_librdkafkas_own_partitioner_would_break_the_join(connection, topic):
    config = {**producer_config(connection, "default"), "partitioner": "consistent_random"}
    landed = {}
    producer = Producer(config)
    for n in range(200):
        key = f"key-{n}".encode()
        producer.produce(
            topic, b"", key, on_delivery=lambda _, m: landed.update({m.key(): m.partition()})
        )
    producer.flush(10)

    assert any(partition != partition_of(key, 8) for key, partition in landed.items())


def test_a_reader_of_committed_records_sees_no_aborted_one(connection, topic):
    producer = Producer(transactional_config(connection, f"{topic}-writer"))
    producer.init_transactions(20)
    for outcome, finish in (
        ("kept", producer.commit_transaction),
        ("aborted", producer.abort_transaction),
        ("kept too", producer.commit_transaction),
    ):
        producer.begin_transaction()
        producer.produce(topic, outcome.encode(), b"k")
        producer.flush()
        finish()

    committed = [r.value for r in read_to_end(connection, [topic])]
    everything = [r.value for r in read_to_end(connection, [topic], committed=False)]

    assert committed == [b"kept", b"kept too"]
    assert b"aborted" in everything


def test_a_question_that_nobody_answers_in_time_is_told_as_such(connection, monkeypatch):
    monkeypatch.setattr("modstream.broker.client.admin.SECONDS", 0.01)

    with pytest.raises(BrokerUnavailable, match=r"no answer within 0\.01 s"):
        Admin(connection)._answer(Future())


class Distracted:
    """A client whose first question is lost, because a broker turns out to be another."""

    def __init__(self, client):
        self._client = client
        self.asked = 0

    def list_topics(self, **how):
        return self._client.list_topics(**how)

    def create_topics(self, topics, **how):
        self.asked += 1
        if self.asked > 1:
            return self._client.create_topics(topics, **how)
        answers = {topic.topic: Future() for topic in topics}
        for answer in answers.values():
            answer.set_exception(KafkaException(KafkaError(KafkaError._DESTROY_BROKER)))
        return answers


def test_topics_are_created_though_a_question_gets_lost(connection, prefix):
    admin = Admin(connection)
    admin._client = Distracted(admin._client)

    assert admin.create([TopicSpec(f"{prefix}words", 1)]) == [f"{prefix}words"]
    assert admin._client.asked == 2


class Silent:
    """A client whose question nobody answers."""

    def offsets_for_times(self, asked, timeout):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_a_client_whom_nobody_answers_is_replaced(connection, topic):
    admin = Admin(connection)
    admin._lookups[False]._client = Silent()

    assert len(admin.ends([topic])) == 8


def test_a_reader_begins_where_it_is_told(connection, topic):
    with Publisher(connection) as publisher:
        for n in range(10):
            publisher.send(Outgoing(topic, b"k", b"%d" % n))
        publisher.flush()
        home = TopicPartition(topic, partition_of(b"k", 8))
        with (
            Reader(connection, [topic], {home: 7}) as later,
            Reader(connection, [topic], "end") as tail,
        ):
            publisher.send(Outgoing(topic, b"k", b"new"))
            publisher.flush()

            assert until_end(later) == [b"7", b"8", b"9", b"new"]
            assert until_end(tail) == [b"new"]


def until_end(reader):
    found = []
    while not reader.at_end():
        found.extend(record.value for record in reader.poll())
    return found


def test_reading_a_topic_that_does_not_exist_says_so(connection, prefix):
    with pytest.raises(TopicMissing, match="modstream topics create"):
        Reader(connection, [f"{prefix}nowhere"])


def test_a_record_that_the_cluster_refuses_is_told_to_its_sender(connection, prefix):
    topic = f"{prefix}small"
    Admin(connection).create([TopicSpec(topic, 1, {"max.message.bytes": "1000"})])
    reports = []

    with Publisher(connection) as publisher:
        noise = Random(0).randbytes(5000)
        publisher.send(Outgoing(topic, None, noise), reports.append)
        with pytest.raises(DeliveryFailed, match=topic):
            publisher.flush()

    assert reports[0].record is None
    assert reports[0].error.refused
    assert "too large" in str(reports[0].error).lower()


def test_a_record_that_nobody_acknowledged_may_lie_in_its_topic_all_the_same():
    away = Connection("127.0.0.1:1", {"message.timeout.ms": "200"})
    reports = []

    with Publisher(away) as publisher:
        publisher.send(Outgoing("words", None, b""), reports.append)
        with pytest.raises(DeliveryFailed):
            publisher.flush()

    assert reports[0].record is None
    assert not reports[0].error.refused


def test_records_still_on_their_way_are_told_apart_from_those_given_up():
    away = Connection("127.0.0.1:1", {"message.timeout.ms": "2000"})

    with Publisher(away) as publisher:
        publisher.send(Outgoing("words", None, b""))
        with pytest.raises(DeliveryPending):
            publisher.flush(0.1)
        with pytest.raises(DeliveryFailed) as given_up:
            publisher.flush()

    assert not isinstance(given_up.value, DeliveryPending)


def test_the_committed_end_of_a_topic_stays_before_an_open_transaction(connection, topic):
    admin, home = Admin(connection), TopicPartition(topic, partition_of(b"k", 8))
    producer = Producer(transactional_config(connection, f"{topic}-writer"))
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"", b"k")
    producer.flush()

    assert admin.ends([topic])[home] == 1
    assert admin.ends([topic], committed=True)[home] == 0

    producer.commit_transaction()
    admin.await_decided([topic])
    assert admin.ends([topic], committed=True)[home] == admin.ends([topic])[home] == 2


def test_an_installation_may_fit_a_group_members_timeouts_to_its_network():
    options = {"session.timeout.ms": "4000"}

    config = consumer_config(Connection("localhost:9092", options), "client", "group")

    assert config["session.timeout.ms"] == "4000"


def test_lag_is_what_a_group_has_not_committed(connection, topic, prefix):
    admin = Admin(connection)
    with Publisher(connection) as publisher:
        for n in range(12):
            publisher.send(Outgoing(topic, b"%d" % n, b""))
        publisher.flush()

    assert sum(admin.lag(f"{prefix}nobody", [topic]).values()) == 12
