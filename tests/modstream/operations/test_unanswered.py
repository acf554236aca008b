"""The reason for a missing response, from the members and offsets of the workers' group."""

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics
from modstream.operations.unanswered import GroupState, UnansweredRequest, describe, diagnose
from modstream.producers.client.pending_requests import RecordMetadata

TOPICS = Topics("flights")
REQUEST = UnansweredRequest("r-1", RecordMetadata("flights.requests", 2, 10, 0))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (GroupState(0), ["no worker is in the consumer group flights.worker", "modstream worker"]),
        (GroupState(1, 10), ["1 worker is in", "as the next record", "--timeout"]),
        (GroupState(3, 4), ["3 workers are in", "behind 6 other records", "modstream topics lag"]),
        (GroupState(2, 11), ["has read the request", "dead letter", "modstream trace r-1 flights"]),
    ],
)
def test_the_reason_says_what_the_workers_do_and_what_to_do(state, words):
    text = describe(TOPICS, REQUEST, state)

    assert not [word for word in words if word not in text]


def test_without_a_worker_a_model_that_is_not_published_is_named():
    text = describe(TOPICS, UnansweredRequest("r-1", None, ["flights"]), GroupState(0))

    assert "model flights is not published" in text
    assert "modstream models publish flights FILE" in text


def test_a_request_that_the_broker_has_not_acknowledged_may_be_repeated():
    text = describe(TOPICS, UnansweredRequest("r-1", None), GroupState(1))

    assert "has not acknowledged the request: try again" in text


@pytest.mark.real
def test_the_group_of_a_stream_without_workers_is_empty(bootstrap, prefix):
    topics, connection = Topics("flights", prefix), Connection(bootstrap)
    Admin(connection).create(topics.specs(2))

    text = diagnose(connection, topics, UnansweredRequest("r-1", None))

    assert f"no worker is in the consumer group {prefix}flights.worker" in text
