"""Labels of clients with other partitioners than Kafka's own, on a real Kafka."""

import json
from collections import Counter
from time import monotonic

import pytest
from confluent_kafka import Producer

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header
from tests.processors.join.join_process import PARTITIONS
from tests.processors.join.join_system import JoinSystem

AT = 1_000_000
OTHER_PARTITIONERS = ("consistent_random", "fnv1a_random", "random")
"""librdkafka's default, that of many Go clients, and one that ignores the key."""

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def system(bootstrap, prefix, tmp_path):
    created = JoinSystem(bootstrap, prefix, tmp_path)
    yield created
    created.close()


def send_labels(system, partitioner, names):
    """Send labels as a client of librdkafka with this partitioner does."""
    producer = Producer({"bootstrap.servers": system.bootstrap, "partitioner": partitioner})
    for name in names:
        value = encode(Label(id=name, label=True, event_time=AT))
        producer.produce(system.topics.labels, key=f"key-{name}", value=value)
    producer.flush()


def copies(system):
    labels = read_to_end(system.connection, [system.topics.labels])
    return [record for record in labels if record.header(Header.FORWARDED_FROM) is not None]


def test_labels_of_every_partitioner_are_joined(system):
    names = {one: [f"{one}-{n}" for n in range(40)] for one in OTHER_PARTITIONERS}
    every = [name for group in names.values() for name in group]
    system.predict(every[::2], dict.fromkeys(every, AT))
    for partitioner, group in names.items():
        send_labels(system, partitioner, group)

    system.start()
    system.wait_until(lambda: len(system.joined()) == len(every) // 2)
    system.predict(every[1::2], dict.fromkeys(every, AT))
    system.wait_until(lambda: len(system.joined()) == len(every))

    forwarded = copies(system)
    assert system.unjoined() == Counter()
    assert len(forwarded) > len(every) // 2
    assert len({record.key for record in forwarded}) == len(forwarded)
    system.wait_until(lambda: system.counters()["forwarded"] == len(forwarded))


@pytest.mark.long
def test_no_label_is_lost_or_joined_twice_when_a_forwarding_joiner_is_killed(system):
    names = [f"r{number}" for number in range(2000)]
    system.predict(names, dict.fromkeys(names, AT), models=("online",), per_transaction=200)
    send_labels(system, "consistent_random", names)

    for enough in (100, 700, 1300):
        victim = system.start("one")
        system.wait_until(lambda enough=enough: len(system.joined()) >= enough)
        victim.kill()
        victim.wait()
    system.start("one")
    system.wait_until(lambda: set(system.joined()) == set(names))
    system.wait_until_consumed()
    system.wait_until(lambda: system.counters()["joined"] == len(names))

    counters = system.counters()
    assert system.unjoined() == Counter()
    assert (counters["duplicate"], counters["orphan"], counters["waiting"]) == (0, 0, 0)


def test_label_with_another_key_is_reported_within_seconds(system, capfd):
    system.predict(["a"], {"a": AT})
    system.start()
    system.wait_until(lambda: system.counters().get("open"))
    own = partition_for_key(b"key-a", PARTITIONS)
    keys = (f"other-{number}" for number in range(100))
    other = next(key for key in keys if partition_for_key(key.encode(), PARTITIONS) != own)
    with Publisher(system.connection) as publisher:
        value = encode(Label(id="a", label=True, event_time=AT))
        publisher.send(ProducerRecord(system.topics.labels, other.encode(), value))
    started, shown = monotonic(), ""

    system.wait_until(lambda: system.counters()["waiting"] == 1)
    while "labels wait for their prediction" not in shown:
        assert monotonic() - started < 40, shown
        system.reader.poll(0.2)
        shown += "".join(capfd.readouterr())

    assert f"its key is {other}, and that of its request key-a" in shown
    assert json.loads(system.output[system.topics.metrics][-1].value)["values"]["joined"] == 0
