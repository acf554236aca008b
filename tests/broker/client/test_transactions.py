"""The action after an error of a transactional call, and the replacement of producers."""

from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException

from modstream.broker.client import transactions
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.produce import produce_record
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.client.transactions import (
    ErrorAction,
    TransactionalProducer,
    call_with_timeout,
    classify_error,
)
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaError(KafkaError._TIMED_OUT, retriable=True), ErrorAction.REPLACE),
        (KafkaError(KafkaError._TIMED_OUT), ErrorAction.REPLACE),
        (KafkaError(KafkaError._TRANSPORT, retriable=True), ErrorAction.RETRY),
        (KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, retriable=True), ErrorAction.RETRY),
        (KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True), ErrorAction.ABORT),
        (KafkaError(KafkaError.UNKNOWN_MEMBER_ID, txn_requires_abort=True), ErrorAction.ABORT),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), ErrorAction.ABORT),
        (KafkaError(KafkaError._FENCED, fatal=True), ErrorAction.REPLACE),
        (KafkaError(KafkaError._FATAL, fatal=True, txn_requires_abort=True), ErrorAction.REPLACE),
        (KafkaError(KafkaError._STATE), ErrorAction.REPLACE),
        (KafkaError(KafkaError.UNKNOWN), ErrorAction.REPLACE),
    ],
    ids=str,
)
def test_an_error_requires_an_action(error, expected):
    assert classify_error(error) is expected


@pytest.fixture
def topic(bootstrap, prefix):
    topic = f"{prefix}words"
    Admin(Connection(bootstrap)).create([TopicSpec(topic, 1)])
    return topic


DISCONNECTED = "FAIL", "[thrd:b:1/1]: b:1/1: Disconnected (after 9ms in state UP)"
CONNECT_FAILED = "FAIL", "[thrd:b:1/1]: b:1/1: Connect to b:1 failed (after 0ms in state CONNECT)"
OTHER = "GETPID", "[thrd:main]: retrying"


@pytest.fixture
def producer(bootstrap, prefix):
    return TransactionalProducer(Connection(bootstrap), f"{prefix}writer")


def log_line(producer, line):
    """Log a line, its kind and its text, as the producer's client does."""
    kind, text = line
    producer._log.log(20, "%s [%s] %s", kind, "a producer", text)


@pytest.mark.real
@pytest.mark.parametrize(
    ("line", "expected"), [(DISCONNECTED, True), (CONNECT_FAILED, False), (OTHER, False)]
)
def test_a_producer_needs_replacement_when_an_established_connection_broke(
    producer, line, expected
):
    log_line(producer, line)

    assert producer.needs_replacement == expected
    assert not producer.open_replacement().needs_replacement


def test_a_call_that_ignores_its_timeout_is_abandoned(monkeypatch):
    monkeypatch.setattr(transactions, "CALL_TIMEOUT_S", 0.01)
    monkeypatch.setattr(transactions, "CALL_GRACE_S", 0.01)
    never = Event()

    with pytest.raises(ProducerLost, match="ignored its timeout"):
        call_with_timeout(never.wait)

    never.set()


def test_a_call_in_time_returns_or_raises_as_without_a_timeout():
    def fail():
        raise KafkaException(KafkaError(KafkaError._FENCED))

    call_with_timeout(lambda: None)
    with pytest.raises(KafkaException, match="_FENCED"):
        call_with_timeout(fail)


@pytest.mark.real
def test_a_publisher_whose_connection_broke_refuses_to_publish(bootstrap, prefix, topic):
    connection = Connection(bootstrap)
    with TransactionalPublisher(connection, f"{prefix}writer") as publisher:
        publisher.publish([ProducerRecord(topic, None, b"first")])
        log_line(publisher._producer, DISCONNECTED)
        with pytest.raises(ProducerLost, match="a connection broke"):
            publisher.publish([ProducerRecord(topic, None, b"second")])

    assert [record.value for record in read_to_end(connection, [topic])] == [b"first"]


@pytest.mark.real
def test_a_replacement_fences_the_previous_producer(bootstrap, producer, topic):
    def replace_during_a_transaction():
        with producer.transaction() as client:
            produce_record(client, ProducerRecord(topic, None, b"never seen"))
            with producer.open_replacement().transaction() as replacement:
                produce_record(replacement, ProducerRecord(topic, None, b"seen"))

    with pytest.raises(ProducerLost):
        replace_during_a_transaction()

    records = read_to_end(Connection(bootstrap), [topic])
    assert [record.value for record in records] == [b"seen"]
