"""Offsets are committed one request at a time, and none is forgotten."""

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException

from modstream.broker.client.offset_committer import OffsetCommitter
from modstream.broker.wire.records import TopicPartition

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class FakeConsumer:
    """Records the committed offsets; with an `error` it raises instead."""

    def __init__(self):
        self.committed = []
        self.error = None

    def commit(self, offsets, *, asynchronous=True):
        if self.error is not None:
            raise KafkaException(self.error)
        found = {TopicPartition(p.topic, p.partition): p.offset for p in offsets}
        self.committed.append((found, asynchronous))


@pytest.fixture
def consumer():
    return FakeConsumer()


@pytest.fixture
def committer():
    return OffsetCommitter(structlog.get_logger())


def test_offsets_added_during_a_commit_go_with_the_next_commit(committer, consumer):
    for offset in (1, 2, 3):
        committer.add({A: offset})
        committer.commit_async(consumer, {A})
    committer.on_commit(None, [])
    committer.commit_async(consumer, {A})
    committer.commit_async(consumer, {A})

    assert consumer.committed == [({A: 1}, True), ({A: 3}, True)]


def test_offsets_of_partitions_that_are_not_owned_are_not_committed(committer, consumer):
    committer.add({A: 1, B: 2})
    committer.commit_async(consumer, {B})
    committer.add({A: 1})
    committer.on_commit(None, [])
    committer.commit_async(consumer, {B})

    assert consumer.committed == [({B: 2}, True)]


def test_a_synchronous_commit_does_not_wait_for_the_asynchronous_one(committer, consumer):
    committer.add({A: 1})
    committer.commit_async(consumer, {A})
    committer.add({A: 2})
    committer.commit_sync(consumer, {A})
    committer.commit_sync(consumer, {A})

    assert consumer.committed == [({A: 1}, True), ({A: 2}, False)]


def test_a_failed_commit_does_not_prevent_later_commits(committer, consumer):
    with structlog.testing.capture_logs() as logs:
        committer.add({A: 1})
        committer.commit_async(consumer, {A})
        committer.on_commit(KafkaError(KafkaError.REQUEST_TIMED_OUT), [])
        consumer.error = KafkaError(KafkaError._STATE)
        for commit in (committer.commit_async, committer.commit_sync):
            committer.add({A: 2})
            commit(consumer, {A})
        consumer.error = None
        committer.add({A: 3})
        committer.commit_async(consumer, {A})

    assert [line["event"] for line in logs] == ["offsets not committed"] * 3
    assert consumer.committed == [({A: 1}, True), ({A: 3}, True)]
