"""The lag of services on a real Kafka: of those that have read the stream, and only of records."""

from time import time

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.live.lag import LEARNER_SILENCE_MS, read_known_lag, read_lag, service_lags
from tests.modstream.live.groups import commit_offsets

pytestmark = pytest.mark.real


@pytest.fixture
def stream(bootstrap, prefix):
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    Admin(connection).create(topics.specs(partitions=2))
    return connection, topics


def send(connection, *records):
    with Publisher(connection) as publisher:
        for record in records:
            publisher.send(record)
        publisher.flush()


def learner_metrics(topics, age_ms):
    sent_at = int(time() * 1000) - age_ms
    metrics = encode(Metrics(kind="learner", model="m", version=1, values={"learned": 1}))
    return ProducerRecord(topics.metrics, b"learner", metrics, (), sent_at)


def test_services_that_have_never_read_the_stream_have_no_lag(stream):
    connection, topics = stream
    send(connection, *(ProducerRecord(topics.requests, None, b"{}") for _ in range(50)))
    commit_offsets(connection, topics.group("worker"), topics.requests)
    admin = Admin(connection)

    (worker,) = service_lags(connection, topics)

    assert (worker.service, worker.is_running) == ("worker", False)
    assert sum(worker.records.values()) == 50
    assert read_known_lag(admin, topics) == {"worker": 50}
    assert read_lag(admin, topics) == {"worker": 50, "joiner": 0, "learner": 0}


def test_a_learner_runs_while_it_sends_metrics(stream):
    connection, topics = stream
    send(connection, ProducerRecord(topics.feedback, b"a", b"{}"))
    send(connection, learner_metrics(topics, LEARNER_SILENCE_MS + 5000))
    assert service_lags(connection, topics) == []

    send(connection, learner_metrics(topics, 0))

    (learner,) = service_lags(connection, topics)
    assert (learner.service, learner.is_running) == ("learner", True)
    assert sum(learner.records.values()) == 1


def test_markers_of_transactions_are_no_records_that_wait(stream):
    connection, topics = stream
    record = ProducerRecord(topics.feedback, b"a", b"{}")
    with TransactionalPublisher(connection, f"{topics.prefix}test") as publisher:
        publisher.publish([record])
    commit_offsets(connection, topics.group("learner"), topics.feedback, offset=1)
    partitions = Admin(connection).lag(topics.group("learner"), [topics.feedback])
    assert max(partitions.values()) == 1, "the marker"

    (learner,) = service_lags(connection, topics)

    assert max(learner.records.values()) == 0
