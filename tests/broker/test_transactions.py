"""Which failure of a transactional call asks for what, and when a producer hands over."""

import pytest
from confluent_kafka import KafkaError

from broker.admin import Admin
from broker.connection import Connection
from broker.delivery import produce
from broker.errors import ProducerLost
from broker.names import TopicSpec
from broker.reader import read_to_end
from broker.records import Outgoing
from broker.transactions import TransactionalProducer, Verdict, verdict


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


@pytest.fixture
def producer(bootstrap, prefix):
    return TransactionalProducer(Connection(bootstrap), f"{prefix}writer")


def write(producer, topic, word, kind):
    """One transaction, in which the client logs a line of some kind."""
    with producer.transaction() as client:
        produce(client, Outgoing(topic, None, word))
        producer._log.log(20, "%s [%s] %s", kind, "a producer", "a text")


@pytest.mark.real
def test_a_producer_that_logs_a_broken_connection_ends_its_transaction_and_begins_no_other(
    bootstrap, producer, topic
):
    write(producer, topic, b"first", "GETPID")
    write(producer, topic, b"second", "FAIL")
    with pytest.raises(ProducerLost, match="a connection broke"):
        write(producer, topic, b"third", "GETPID")

    records = read_to_end(Connection(bootstrap), [topic])
    assert [record.value for record in records] == [b"first", b"second"]


@pytest.mark.real
def test_a_successor_fences_the_producer_before_it(bootstrap, producer, topic):
    def be_succeeded():
        with producer.transaction() as client:
            produce(client, Outgoing(topic, None, b"never seen"))
            write(producer.successor(), topic, b"seen", "GETPID")

    with pytest.raises(ProducerLost):
        be_succeeded()

    records = read_to_end(Connection(bootstrap), [topic])
    assert [record.value for record in records] == [b"seen"]
