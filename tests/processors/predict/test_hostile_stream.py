"""A worker's loop on a real Kafka: whatever is in the requests, each record has one exit."""

import json
from collections import Counter
from threading import Event

import numpy as np
import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from structlog.testing import capture_logs

from modstream.broker.client.admin import MAX_MESSAGE_BYTES, Admin
from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, ExactlyOnce
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import BrokerError
from modstream.broker.loop.loop import Loop
from modstream.broker.loop.ports import NoLoopHooks
from modstream.broker.wire.codec import KIND_ERROR, decode_response
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.originals import read_original
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header, Topics
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.version_markers import VersionMarkers
from tests.broker.client.hostile_records import send_batch, send_bomb, send_illegible
from tests.processors.small_fixtures import StubLoadedModel, StubModelProvider, make_card

pytestmark = pytest.mark.real
BIG = 16_500_000
CLASSES = tuple(f"class-{number:030}" for number in range(100))
ONE_FLOAT = InputSchema.of_floats(["x"])


class RandomRuntime:
    """Gives outputs that hardly compress: about 2 kB of 6 kB for each row are random digits."""

    def predict(self, batch):
        return np.random.default_rng(batch.size).random((batch.size, len(CLASSES)))


class Stream:
    """A stream with one partition, and the loop of its worker."""

    def __init__(self, bootstrap, prefix, mode=ExactlyOnce):
        self.connection = Connection(bootstrap)
        self.topics = Topics("s", prefix)
        self.mode = mode
        Admin(self.connection).create(self.topics.specs(1))
        card = make_card("m", schema=ONE_FLOAT, task="multiclass", classes=CLASSES)
        self.models = StubModelProvider({"m": StubLoadedModel(card, RandomRuntime())})

    def send(self, *values, **options):
        send_batch(self.connection, self.topics.requests, values, **options)

    def work(self, records):
        """Run the worker's loop until that many records are delivered."""
        stop, delivered = Event(), 0

        class StopHook(NoLoopHooks):
            def on_delivery(self, batch, seconds):
                nonlocal delivered
                delivered += batch.records
                if delivered >= records:
                    stop.set()

        group, topics = self.topics.group("worker"), self.topics
        source = GroupConsumer(
            self.connection, group, [topics.requests], BatchSettings(poll_timeout=0.05)
        )
        deliver = self.mode(self.connection, f"{group}-0", source)
        markers = VersionMarkers(topics.version_markers, source.assignment_epoch)
        handle = request_handler(
            topics, self.models, InferenceSettings(("m",)), markers=markers, limits=source.limits
        )
        try:
            Loop(source, handle, deliver, StopHook()).run(stop)
        finally:
            deliver.close()
            source.close()
        assert Admin(self.connection).lag(group, [topics.requests]).popitem()[1] <= 0

    def read(self, topic):
        return list(read_to_end(self.connection, [topic]))

    def exits(self):
        """Return the exits of the requests: what each has become, by offset."""
        found = {}
        for record in self.read(self.topics.predictions):
            response = decode_response(record)
            is_error = record.header(Header.KIND) == KIND_ERROR
            exit_ = response.code if is_error else "prediction"
            found.setdefault(response.source.offset, []).append(exit_)
        for record in self.read(self.topics.dlq):
            cause = read_cause(record)
            found.setdefault(int(cause["offset"]), []).append("dead letter " + cause["class.name"])
        return found


def ask(request_id, **fields):
    return json.dumps({"id": request_id, "features": {"x": 0.5}, **fields}).encode()


@pytest.mark.parametrize("mode", [ExactlyOnce, AtLeastOnce])
def test_each_hostile_record_has_one_exit_and_costs_no_other_anything(bootstrap, prefix, mode):
    stream = Stream(bootstrap, prefix, mode)
    good = ask("good")
    stream.send(good)
    stream.send(ask("rows", features=[{"x": 0.5}] * 10_000))
    stream.send(bytes(17_000_000), codec="gzip")
    send_bomb(stream.connection, stream.topics.requests, records=3)  # Offsets 3 to 5.
    stream.send(good, key=bytes(BIG), codec="lz4")
    stream.send(good, headers=[("ce_x", bytes(BIG))], codec="lz4")
    stream.send(good, headers=[(f"h{number}", b"v") for number in range(10_000)])
    send_illegible(stream.connection, stream.topics.requests, good)
    send_illegible(stream.connection, stream.topics.requests, good + b"\x00\x00\x80\x3f")
    stream.send(ask("long", version="v" * 900_000))
    stream.send(ask("digits", event_time=10**400))
    stream.send(ask("late"), headers=[("Deadline", b"1")])
    stream.send(good)

    stream.work(13)

    assert stream.exits() == {
        0: ["prediction"],
        1: ["answer_too_large"],
        2: ["dead letter too_large"],
        5: ["dead letter unreadable"],
        6: ["dead letter key_too_large"],
        7: ["prediction"],
        8: ["prediction"],
        9: ["prediction"],
        10: ["dead letter illegible_headers"],
        11: ["contract_violated"],
        12: ["contract_violated"],
        13: ["deadline_exceeded"],
        14: ["prediction"],
    }
    zeros = next(one for one in stream.read(stream.topics.dlq) if read_original(one))
    original = read_original(zeros)
    assert (original.offset, original.size) == (2, 17_000_000)
    assert set(zeros.value) == {0}


@pytest.mark.parametrize("mode", [ExactlyOnce, AtLeastOnce])
@pytest.mark.parametrize("limit", [1_500, 20_000])
def test_a_limit_that_is_lowered_while_the_worker_runs_is_learned(bootstrap, prefix, mode, limit):
    stream = Stream(bootstrap, prefix, mode)
    lower_limit(bootstrap, [stream.topics.predictions], limit)
    for number in range(6):
        stream.send(ask(f"one-{number}"), ask(f"many-{number}", features=[{"x": 0.5}] * 20))

    with capture_logs() as log:
        stream.work(12)

    exits = stream.exits()
    one = "prediction" if limit > 7_000 else "answer_too_large"
    # Without transactions, records of a refused batch that fit have been answered already.
    assert {offset: set(found) for offset, found in exits.items()} == {
        number: {"answer_too_large" if number % 2 else one} for number in range(12)
    }
    if mode is ExactlyOnce:
        assert Counter(len(found) for found in exits.values()) == {1: 12}
    learned = [entry["limits"] for entry in log if "limits" in entry]
    assert learned[0][stream.topics.predictions] == limit


def test_a_limit_that_cannot_be_read_is_found_by_halving(bootstrap, prefix, monkeypatch):
    def refuse(*_):
        raise BrokerError("not permitted")

    stream = Stream(bootstrap, prefix)
    lower_limit(bootstrap, [stream.topics.predictions], 20_000)
    monkeypatch.setattr(Admin, "record_limits", refuse)
    stream.send(ask("one"), ask("many", features=[{"x": 0.5}] * 20))

    stream.work(2)

    assert stream.exits() == {0: ["prediction"], 1: ["answer_too_large"]}


def test_the_limits_of_topics_are_read_from_the_cluster(bootstrap, prefix):
    stream = Stream(bootstrap, prefix)
    lower_limit(bootstrap, [stream.topics.dlq], 50_000)
    topics = [stream.topics.dlq, stream.topics.requests]

    limits = Admin(stream.connection).record_limits(topics)

    assert limits == {topics[0]: 50_000, topics[1]: MAX_RECORD_BYTES}


def lower_limit(bootstrap, topics, limit):
    """Set the maximum record size of some topics."""
    entry = ConfigEntry(MAX_MESSAGE_BYTES, str(limit), incremental_operation=AlterConfigOpType.SET)
    resources = [
        ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry]) for topic in topics
    ]
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.incremental_alter_configs(resources).values():
        future.result(30)
    for _ in range(300):
        found = Admin(Connection(bootstrap)).record_limits(topics)
        if set(found.values()) == {limit}:
            return
    raise AssertionError(found)
