"""Which failure of a transactional call asks for what, and when a producer hands over."""

import pytest
from confluent_kafka import KafkaError

from broker.admin import Admin
from broker.connection import Connection
from broker.names import TopicSpec
from broker.reader import read_to_end
from broker.records import Outgoing
from broker.transactional import TransactionalPublisher
from broker.transactions import Verdict, verdict


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


def log_of(publisher, kind):
    """Have the client log a line of this kind."""
    publisher._producer._log.log(20, "%s [%s] %s", kind, "a producer", "a text")


@pytest.mark.real
@pytest.mark.parametrize(("kind", "producers"), [("FAIL", 2), ("GETPID", 1)])
def test_a_producer_that_logs_a_broken_connection_hands_over_after_its_transaction(
    bootstrap, prefix, kind, producers
):
    connection, topic, used = Connection(bootstrap), f"{prefix}words", set()
    Admin(connection).create([TopicSpec(topic, 1)])

    def words(word):
        used.add(publisher._producer._producer)
        yield Outgoing(topic, None, word)
        log_of(publisher, kind)

    with TransactionalPublisher(connection, f"{prefix}writer") as publisher:
        publisher.publish(words(b"first"))
        publisher.publish(words(b"second"))

    assert len(used) == producers
    assert [record.value for record in read_to_end(connection, [topic])] == [b"first", b"second"]
