"""A busy group member keeps its partitions, and one that lost them recovers."""

from threading import Event
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, ExactlyOnce
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.loop.batch_sizing import AdaptiveBatchSize
from modstream.broker.loop.loop import Loop
from modstream.broker.loop.ports import HandlerResult, NoLoopHooks
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real
MAX_POLL_SECONDS = 6.0
TIMEOUT_SECONDS = 30.0
BATCH = BatchSettings(poll_timeout=0.05)


@pytest.fixture
def connection(bootstrap):
    """Members that do not poll for six seconds are expelled."""
    limit = str(int(MAX_POLL_SECONDS * 1000))
    return Connection(bootstrap, {"max.poll.interval.ms": limit, "session.timeout.ms": limit})


def retry_until(condition):
    """Call `condition` until it is true."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert monotonic() < deadline


def create_topic_with_records(connection, topic):
    """Create a topic of two partitions with twenty records."""
    Admin(connection).create([TopicSpec(topic, 2)])
    with Publisher(connection) as publisher:
        for number in range(20):
            publisher.send(ProducerRecord(topic, b"%d" % number, b"x"))
        publisher.flush()


@pytest.mark.parametrize("mode", [ExactlyOnce, AtLeastOnce])
def test_a_handler_slower_than_the_poll_interval_keeps_its_partitions(connection, prefix, mode):
    topic, output = prefix + "in", prefix + "out"
    Admin(connection).create([TopicSpec(output, 2)])
    create_topic_with_records(connection, topic)
    stop, was_slow = Event(), Event()

    def handle(batch):
        if not was_slow.is_set():
            was_slow.set()
            Event().wait(1.5 * MAX_POLL_SECONDS)  # The test is about elapsed time.
        return HandlerResult([ProducerRecord(output, r.key, r.value) for r in batch])

    delivered = 0

    class StopAfterAll(NoLoopHooks):
        def on_delivery(self, batch, seconds):
            nonlocal delivered
            delivered += batch.records
            if delivered == 20:
                stop.set()

    source = GroupConsumer(connection, prefix + "g", [topic], BATCH)
    deliver = mode(connection, prefix + "worker-0", source)
    try:
        size = AdaptiveBatchSize(size=5)
        Loop(source, handle, deliver, StopAfterAll(), batch_size=size).run(stop)
        epochs = [source.assignment_epoch(TopicPartition(topic, number)) for number in range(2)]
    finally:
        deliver.close()
        source.close()

    assert was_slow.is_set()
    assert epochs == [1, 1]
    assert len(list(read_to_end(connection, [output]))) == 20


@pytest.fixture
def impatient_connection(bootstrap):
    """Members that do not poll for three seconds are expelled."""
    return Connection(bootstrap, {"max.poll.interval.ms": "3000", "session.timeout.ms": "3000"})


@pytest.fixture
def expelled(impatient_connection, prefix):
    """A member that was expelled after it polled one record, and that record."""
    topic = prefix + "in"
    create_topic_with_records(impatient_connection, topic)
    member = GroupConsumer(impatient_connection, prefix + "g", [topic], BATCH)
    batch = []
    retry_until(lambda: batch.extend(member.poll(1)) or batch)
    Event().wait(3.6)  # The test is about elapsed time.
    retry_until(lambda: member.keep_alive() or not member.owned)
    yield member, batch
    member.close()


def test_partitions_lost_during_a_batch_are_read_completely_once_assigned_again(expelled):
    member, _ = expelled
    found = set()

    retry_until(lambda: found.update(member.poll()) or len(found) == 20)


def test_a_batch_polled_before_a_loss_is_neither_owned_nor_rewound_after_a_new_assignment(
    expelled, impatient_connection, prefix
):
    member, batch = expelled
    partition, next_offset = batch[0].topic_partition, batch[0].offset + 3
    other = GroupConsumer(impatient_connection, prefix + "g", [partition.topic], BATCH)
    retry_until(lambda: other.poll() and partition in other.owned)
    other.commit({partition: next_offset})
    other.close()

    retry_until(lambda: member.keep_alive() or partition in member.owned)
    owned = member.owns(batch)
    member.rewind(batch)
    found = []
    retry_until(
        lambda: found.extend(r for r in member.poll() if r.topic_partition == partition) or found
    )

    assert not owned
    assert found[0].offset == next_offset
