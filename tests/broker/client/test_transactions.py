"""Which failure of a transactional call asks for what, and when a producer hands over."""

from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException

from modstream.broker.client import transactions
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.delivery import produce
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.client.transactions import TransactionalProducer, Verdict, bounded, verdict
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import TopicSpec


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaError(KafkaError._TIMED_OUT, retriable=True), Verdict.LOST),
        (KafkaError(KafkaError._TIMED_OUT), Verdict.LOST),
        (KafkaError(KafkaError._TRANSPORT, retriable=True), Verdict.REPEAT),
        (KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, retriable=True), Verdict.REPEAT),
        (KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True), Verdict.ABORT),
        (KafkaError(KafkaError.UNKNOWN_MEMBER_ID, txn_requires_abort=True), Verdict.ABORT),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), Verdict.ABORT),
        (KafkaError(KafkaError._FENCED, fatal=True), Verdict.LOST),
        (KafkaError(KafkaError._FATAL, fatal=True, txn_requires_abort=True), Verdict.LOST),
        (KafkaError(KafkaError._STATE), Verdict.LOST),
        (KafkaError(KafkaError.UNKNOWN), Verdict.LOST),
    ],
    ids=str,
)
def test_a_failure_asks_for(error, expected):
    assert verdict(error) is expected


@pytest.fixture
def topic(bootstrap, prefix):
    topic = f"{prefix}words"
    Admin(Connection(bootstrap)).create([TopicSpec(topic, 1)])
    return topic


BROKEN = "FAIL", "[thrd:b:1/1]: b:1/1: Disconnected (after 9ms in state UP)"
REFUSED = "FAIL", "[thrd:b:1/1]: b:1/1: Connect to b:1 failed (after 0ms in state CONNECT)"
OTHER = "GETPID", "[thrd:main]: retrying"


@pytest.fixture
def producer(bootstrap, prefix):
    return TransactionalProducer(Connection(bootstrap), f"{prefix}writer")


def log_of(producer, line):
    """Have a producer's client log a line, its kind and its text."""
    kind, text = line
    producer._log.log(20, "%s [%s] %s", kind, "a producer", text)


@pytest.mark.real
@pytest.mark.parametrize(("line", "spent"), [(BROKEN, True), (REFUSED, False), (OTHER, False)])
def test_a_producer_is_spent_when_a_connection_that_stood_has_broken(producer, line, spent):
    log_of(producer, line)

    assert producer.is_spent == spent
    assert not producer.successor().is_spent


def test_a_call_that_ignores_its_timeout_is_left_behind(monkeypatch):
    monkeypatch.setattr(transactions, "CALL", 0.01)
    monkeypatch.setattr(transactions, "GRACE", 0.01)
    answer = Event()

    with pytest.raises(ProducerLost, match="ignored its timeout"):
        bounded(answer.wait)

    answer.set()


def test_a_call_in_time_fails_or_not_as_it_would_have_by_itself():
    def fail():
        raise KafkaException(KafkaError(KafkaError._FENCED))

    bounded(lambda: None)
    with pytest.raises(KafkaException, match="_FENCED"):
        bounded(fail)


@pytest.mark.real
def test_a_publisher_whose_connection_broke_publishes_no_more(bootstrap, prefix, topic):
    connection = Connection(bootstrap)
    with TransactionalPublisher(connection, f"{prefix}writer") as publisher:
        publisher.publish([Outgoing(topic, None, b"first")])
        log_of(publisher._producer, BROKEN)
        with pytest.raises(ProducerLost, match="a connection broke"):
            publisher.publish([Outgoing(topic, None, b"second")])

    assert [record.value for record in read_to_end(connection, [topic])] == [b"first"]


@pytest.mark.real
def test_a_successor_fences_the_producer_before_it(bootstrap, producer, topic):
    def be_succeeded():
        with producer.transaction() as client:
            produce(client, Outgoing(topic, None, b"never seen"))
            with producer.successor().transaction() as heir:
                produce(heir, Outgoing(topic, None, b"seen"))

    with pytest.raises(ProducerLost):
        be_succeeded()

    records = read_to_end(Connection(bootstrap), [topic])
    assert [record.value for record in records] == [b"seen"]
