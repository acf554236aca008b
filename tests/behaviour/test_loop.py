"""One behaviour, two brokers: the loop in memory and on a real Kafka, in both delivery modes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import BatchSettings, GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, Deliver, ExactlyOnce
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import ProducerLost, TransactionAborted
from modstream.broker.loop.batch_sizing import Pace
from modstream.broker.loop.in_memory import MemoryBroker, MemoryConsumer, MemoryDelivery
from modstream.broker.loop.loop import Loop
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import TopicSpec

GROUP = "shouters"


@dataclass
class Memory:
    """The broker that ships with modstream."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)

    def send(self, records):
        for record in records:
            self.broker.append(record)

    def read(self, topic):
        return self.broker.read(topic)

    def member(self):
        source = MemoryConsumer(self.broker, GROUP, ["in"])
        return source, MemoryDelivery(self.broker, source)

    def topic(self, name):
        return name


@dataclass
class Real:
    """A Kafka, with topics of this test's own."""

    connection: Connection
    prefix: str
    mode: type[ExactlyOnce | AtLeastOnce]

    def __post_init__(self):
        Admin(self.connection).create([TopicSpec(self.topic(n), 4) for n in ("in", "out")])

    def send(self, records):
        with Publisher(self.connection) as publisher:
            for record in records:
                publisher.send(record._replace(topic=self.topic(record.topic)))
            publisher.flush()

    def read(self, topic):
        return list(read_to_end(self.connection, [self.topic(topic)]))

    def member(self):
        source = GroupConsumer(
            self.connection, self.topic(GROUP), [self.topic("in")], BatchSettings(idle=0.05)
        )
        return source, self.mode(self.connection, self.topic("shouter-0"), source)

    def topic(self, name):
        return self.prefix + name


@pytest.fixture(
    params=["memory", pytest.param("exactly_once", marks=pytest.mark.real),
            pytest.param("at_least_once", marks=pytest.mark.real)]
)  # fmt: skip
def broker(request, prefix):
    if request.param == "memory":
        return Memory()
    mode = ExactlyOnce if request.param == "exactly_once" else AtLeastOnce
    return Real(Connection(request.getfixturevalue("bootstrap")), prefix, mode)


def shout(topic: str) -> Callable[[Sequence[Record]], list[Outgoing]]:
    return lambda batch: [
        Outgoing(topic, r.key, (r.value or b"").upper(), (("from", str(r.offset).encode()),))
        for r in batch
    ]


def work(broker, handle, until: Callable[[int], bool], wrap=lambda deliver: deliver, pace=None):
    """Run one member until `until(records handled)`, as a process that is then stopped."""
    stop, handled = Event(), 0

    def observe(turn):
        nonlocal handled
        handled += turn.records
        if until(handled):
            stop.set()

    source, deliver = broker.member()
    try:
        Loop(source, handle, wrap(deliver), observe, pace=pace or Pace()).run(stop)
    finally:
        deliver.close()
        if isinstance(source, GroupConsumer):
            source.close()


def requests(count, topic="in"):
    return [
        Outgoing(topic, b"key-%d" % (n % 7), b"word-%d" % n, (("n", b"%d" % n),))
        for n in range(count)
    ]


def test_every_record_is_answered_once_in_the_order_of_its_key(broker):
    broker.send(requests(500))

    work(broker, shout(broker.topic("out")), until=lambda handled: handled == 500)

    answers = broker.read("out")
    assert sorted(r.value for r in answers) == sorted(b"WORD-%d" % n for n in range(500))
    for key in {r.key for r in answers}:
        numbers = [int(r.value[5:]) for r in answers if r.key == key]
        assert numbers == sorted(numbers)


def test_a_second_member_goes_on_where_the_first_one_stopped(broker):
    broker.send(requests(100))
    work(broker, shout(broker.topic("out")), until=lambda handled: handled == 100)
    broker.send(requests(50))

    work(broker, shout(broker.topic("out")), until=lambda handled: handled == 50)

    assert len(broker.read("out")) == 150


def test_a_batch_whose_delivery_fails_is_read_again_and_answered_once(broker):
    class FailsTwice:
        def __init__(self, deliver: Deliver):
            self.deliver, self.left = deliver, 2

        def __call__(self, outgoing, batch):
            if self.left:
                self.left -= 1
                raise TransactionAborted("a drill")
            self.deliver(outgoing, batch)

    broker.send(requests(40))
    handled = []

    def handle(batch):
        handled.extend(batch)
        return shout(broker.topic("out"))(batch)

    work(broker, handle, until=lambda count: count == 40, wrap=FailsTwice)

    assert len(handled) > 40
    assert len(broker.read("out")) == 40


def test_what_was_read_behind_a_failed_batch_comes_again_after_it(broker):
    class FailsEveryThird:
        def __init__(self, deliver: Deliver):
            self.deliver, self.turn = deliver, 0

        def __call__(self, outgoing, batch):
            self.turn += 1
            if self.turn % 3 == 1:
                raise TransactionAborted("a drill")
            self.deliver(outgoing, batch)

    broker.send(requests(300))

    work(
        broker,
        shout(broker.topic("out")),
        until=lambda count: count == 300,
        wrap=FailsEveryThird,
        pace=Pace(most=20, size=20),
    )

    answers = broker.read("out")
    assert sorted(r.value for r in answers) == sorted(b"WORD-%d" % n for n in range(300))
    for key in {r.key for r in answers}:
        numbers = [int(r.value[5:]) for r in answers if r.key == key]
        assert numbers == sorted(numbers)


def test_under_a_backlog_a_batch_is_handled_while_the_one_before_is_delivered(broker):
    delivering, handling, turns = Event(), Event(), []

    class Watched:
        def __init__(self, deliver: Deliver):
            self.deliver = deliver

        def __call__(self, outgoing, batch):
            delivering.set()
            assert handling.wait(30), "the second batch is handled before the first has left"
            self.deliver(outgoing, batch)

    def handle(batch):
        turns.append(len(batch))
        if len(turns) == 2:
            assert delivering.wait(30)
            handling.set()
        return shout(broker.topic("out"))(batch)

    broker.send(requests(12))

    # One record at a time: whatever a fetch has brought, each batch is full and a next one waits.
    work(broker, handle, lambda count: count == 12, Watched, Pace(most=1, size=1))

    assert len(broker.read("out")) == 12


def test_a_loop_that_can_never_deliver_gives_up(broker):
    class AlwaysFails:
        def __init__(self, deliver: Deliver):
            pass

        def __call__(self, outgoing, batch):
            raise TransactionAborted("a drill")

    broker.send(requests(10))

    with pytest.raises(ProducerLost, match="10 deliveries in a row"):
        work(broker, shout(broker.topic("out")), until=lambda _: False, wrap=AlwaysFails)


def test_headers_and_tombstones_survive_the_way(broker):
    broker.send([Outgoing("in", b"k", None, (("traceparent", b"00-1"), ("empty", None)))])
    seen = []

    def handle(batch):
        seen.extend(batch)
        return []

    work(broker, handle, until=lambda handled: handled == 1)

    assert seen[0].value is None
    assert seen[0].headers == (("traceparent", b"00-1"), ("empty", None))
    assert seen[0].header("traceparent") == b"00-1"
