"""The brokers on which the behaviour of the loop is tested."""

from dataclasses import dataclass, field

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, ExactlyOnce
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.loop.in_memory import MemoryBroker, MemoryConsumer, MemoryDelivery
from modstream.broker.wire.topics import TopicSpec

GROUP = "upper-case"


@dataclass
class InMemory:
    """The in-memory broker."""

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
class OnKafka:
    """A Kafka cluster, with topics for one test."""

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
            self.connection, self.topic(GROUP), [self.topic("in")], BatchSettings(poll_timeout=0.05)
        )
        return source, self.mode(self.connection, self.topic("worker-0"), source)

    def topic(self, name):
        return self.prefix + name


@pytest.fixture(
    params=["memory", pytest.param("exactly_once", marks=pytest.mark.real),
            pytest.param("at_least_once", marks=pytest.mark.real)]
)  # fmt: skip
def broker(request, prefix):
    if request.param == "memory":
        return InMemory()
    mode = ExactlyOnce if request.param == "exactly_once" else AtLeastOnce
    return OnKafka(Connection(request.getfixturevalue("bootstrap")), prefix, mode)
