"""A group member that has much to do stays one."""

from threading import Event
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import BatchSettings, GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, ExactlyOnce
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_spans, read_to_end
from modstream.broker.loop.batch_sizing import Pace
from modstream.broker.loop.loop import Loop
from modstream.broker.wire.records import Outgoing, TopicPartition
from modstream.broker.wire.topics import TopicSpec

pytestmark = pytest.mark.real
MAX_POLL_SECONDS = 6.0
SECONDS = 30.0


@pytest.fixture
def connection(bootstrap):
    """Members that do not poll for six seconds are expelled."""
    limit = str(int(MAX_POLL_SECONDS * 1000))
    return Connection(bootstrap, {"max.poll.interval.ms": limit, "session.timeout.ms": limit})


def until(wish):
    """Try until a wish is fulfilled."""
    deadline = monotonic() + SECONDS
    while not wish():
        assert monotonic() < deadline


@pytest.mark.parametrize("mode", [ExactlyOnce, AtLeastOnce])
def test_a_handler_slower_than_the_poll_interval_keeps_its_partitions(connection, prefix, mode):
    names = [prefix + "in", prefix + "out"]
    Admin(connection).create([TopicSpec(name, 2) for name in names])
    with Publisher(connection) as publisher:
        for number in range(20):
            publisher.send(Outgoing(names[0], b"%d" % number, b"x"))
        publisher.flush()
    stop, slow = Event(), Event()

    def handle(batch):
        if not slow.is_set():
            slow.set()
            Event().wait(1.5 * MAX_POLL_SECONDS)  # time itself is what is tested
        return [Outgoing(names[1], record.key, record.value) for record in batch]

    delivered = 0

    def observe(turn):
        nonlocal delivered
        delivered += turn.records
        if delivered == 20:
            stop.set()

    source = GroupConsumer(connection, prefix + "g", names[:1], BatchSettings(idle=0.05))
    deliver = mode(connection, prefix + "slot", source)
    try:
        Loop(source, handle, deliver, observe, pace=Pace(size=5)).run(stop)
        tenures = [source.tenure(TopicPartition(names[0], number)) for number in range(2)]
    finally:
        deliver.close()
        source.close()

    assert slow.is_set()
    assert tenures == [1, 1]
    assert len(list(read_to_end(connection, names[1:]))) == 20


@pytest.fixture
def hasty(bootstrap):
    """Members that do not poll for three seconds are expelled."""
    return Connection(bootstrap, {"max.poll.interval.ms": "3000", "session.timeout.ms": "3000"})


@pytest.fixture
def forgetful(hasty, prefix):
    """A member that has read one record of twenty in two partitions, and was then expelled."""
    topic = prefix + "in"
    Admin(hasty).create([TopicSpec(topic, 2)])
    with Publisher(hasty) as publisher:
        for number in range(20):
            publisher.send(Outgoing(topic, b"%d" % number, b"x"))
        publisher.flush()
    member = GroupConsumer(hasty, prefix + "g", [topic], BatchSettings(idle=0.05))
    batch = []
    until(lambda: batch.extend(member.poll(1)) or batch)
    Event().wait(3.6)  # time itself is what is tested
    until(lambda: member.keep_alive() or not member.owned)
    yield member, batch
    member.close()


def test_partitions_that_were_lost_during_a_batch_are_read_on_when_they_come_back(forgetful):
    member, _ = forgetful
    found = set()

    until(lambda: found.update(member.poll()) or len(found) == 20)


def test_a_batch_from_before_a_loss_is_not_owned_nor_gone_back_to_when_its_partition_comes_back(
    forgetful, hasty, prefix
):
    member, batch = forgetful
    home, ahead = batch[0].home, batch[0].offset + 3
    other = GroupConsumer(hasty, prefix + "g", [home.topic], BatchSettings(idle=0.05))
    until(lambda: other.poll() and home in other.owned)
    other.commit({home: ahead})
    other.close()

    until(lambda: member.keep_alive() or home in member.owned)
    owned = member.owns(batch)
    member.rewind(batch)
    found = []
    until(lambda: found.extend(r for r in member.poll() if r.home == home) or found)

    assert not owned
    assert found[0].offset == ahead


def test_spans_of_some_partitions_are_read_and_nothing_else(connection, prefix):
    topic = prefix + "in"
    Admin(connection).create([TopicSpec(topic, 3)])
    with Publisher(connection) as publisher:
        for number in range(90):
            publisher.send(Outgoing(topic, b"%d" % number, b"%d" % number))
        publisher.flush()
    homes = [TopicPartition(topic, number) for number in range(3)]
    sizes = Admin(connection).ends([topic])

    spans = {homes[0]: (2, 5), homes[2]: (0, sizes[homes[2]])}
    found = list(read_spans(connection, topic, spans))

    assert [r.offset for r in found if r.home == homes[0]] == [2, 3, 4]
    assert [r.offset for r in found if r.home == homes[2]] == list(range(sizes[homes[2]]))
    assert not [r for r in found if r.home == homes[1]]
    assert list(read_spans(connection, topic, {})) == []
