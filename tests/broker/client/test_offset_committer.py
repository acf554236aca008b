"""Offsets are committed one set at a time, and none is forgotten."""

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException

from modstream.broker.client.offset_committer import Commits
from modstream.broker.wire.records import TopicPartition

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class Client:
    """Notes what is committed; with a fault it refuses."""

    def __init__(self):
        self.committed = []
        self.fault = None

    def commit(self, offsets, *, asynchronous=True):
        if self.fault is not None:
            raise KafkaException(self.fault)
        found = {TopicPartition(p.topic, p.partition): p.offset for p in offsets}
        self.committed.append((found, asynchronous))


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def commits():
    return Commits(structlog.get_logger())


def test_what_is_due_while_a_commit_is_on_its_way_goes_with_the_next(commits, client):
    for offset in (1, 2, 3):
        commits.add({A: offset})
        commits.send(client, {A})
    commits.done(None, [])
    commits.send(client, {A})
    commits.send(client, {A})

    assert client.committed == [({A: 1}, True), ({A: 3}, True)]


def test_what_is_not_owned_is_not_committed(commits, client):
    commits.add({A: 1, B: 2})
    commits.send(client, {B})
    commits.add({A: 1})
    commits.done(None, [])
    commits.send(client, {B})

    assert client.committed == [({B: 2}, True)]


def test_the_rest_is_waited_for_though_a_commit_is_on_its_way(commits, client):
    commits.add({A: 1})
    commits.send(client, {A})
    commits.add({A: 2})
    commits.finish(client, {A})
    commits.finish(client, {A})

    assert client.committed == [({A: 1}, True), ({A: 2}, False)]


def test_one_that_fails_stops_no_later_one(commits, client):
    with structlog.testing.capture_logs() as told:
        commits.add({A: 1})
        commits.send(client, {A})
        commits.done(KafkaError(KafkaError.REQUEST_TIMED_OUT), [])
        client.fault = KafkaError(KafkaError._STATE)
        for again in (commits.send, commits.finish):
            commits.add({A: 2})
            again(client, {A})
        client.fault = None
        commits.add({A: 3})
        commits.send(client, {A})

    assert [line["event"] for line in told] == ["offsets not committed"] * 3
    assert client.committed == [({A: 1}, True), ({A: 3}, True)]
