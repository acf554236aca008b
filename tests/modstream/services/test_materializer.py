"""The materializer: the newest prediction of each key, whatever ends it or its store."""

import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import KIND_PREDICTION, encode
from modstream.broker.wire.contracts import Prediction, SourcePosition
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header
from modstream.models.prediction_store.errors import StoreMoved, StoreUnavailable
from modstream.models.prediction_store.settings import PredictionStoreSettings
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.process.supervisor import Backoff, Command, Supervisor
from modstream.processors.precompute.newest import NewestPredictions
from modstream.services.materializer import StoreWriter, run_materializer
from modstream.settings import load_settings
from modstream.stack.local_stack import child_environment

TIMEOUT_SECONDS = 180.0
MODEL = "m"
SOURCE = SourcePosition(topic="flights.requests", partition=0, offset=0)


@pytest.fixture
def settings(bootstrap, redis_url, postgres_url, prefix, tmp_path):
    """Settings with a store in PostgreSQL; tests/journeys/test_precompute.py has one in Redis."""
    found = load_settings(
        bootstrap=bootstrap,
        redis=redis_url,
        prefix=prefix,
        stream="flights",
        home=tmp_path,
        prediction_store=PredictionStoreSettings(url=postgres_url, max_batch_records=50),
    )
    Admin(found.connection).create(found.topic_specs())
    return found


def send(settings, keys, rounds, first=0):
    """Write predictions of `keys` keys, `rounds` of each; the output is the round."""
    topic = settings.topics().predictions
    with Publisher(settings.connection) as publisher:
        for number in range(first, first + rounds):
            for key in range(keys):
                prediction = Prediction(
                    id=f"{number}-{key}",
                    model=MODEL,
                    version=1 + number,
                    outputs={"round": number},
                    source=SOURCE,
                )
                headers = ((Header.KIND.value, KIND_PREDICTION),)
                record = ProducerRecord(topic, f"k{key}".encode(), encode(prediction), headers)
                publisher.send(record)
        publisher.flush()


def wait_until_stored(settings, store):
    """Wait until the store has everything; fail when it does not in time."""
    topic, deadline = settings.topics().predictions, monotonic() + TIMEOUT_SECONDS
    ends = Admin(settings.connection).end_offsets([topic])
    while any(store.offsets(topic).get(str(one), 0) < end for one, end in ends.items()):
        assert monotonic() < deadline, (store.offsets(topic), ends)
        Event().wait(0.02)


@pytest.mark.real
def test_a_materializer_that_is_killed_stores_the_newest_prediction_of_each_key(settings):
    keys, rounds = 200, 10
    command = Command(
        "materializer",
        (sys.executable, "-m", "modstream", "materializer"),
        child_environment(settings) | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    topic = settings.topics().predictions
    with (
        open_prediction_store(settings) as store,
        Supervisor(settings.home, Backoff(0.05, 0.05, 60)) as supervisor,
    ):
        supervisor.start(command)
        for first in range(0, rounds, 5):
            before = sum(store.offsets(topic).values())
            send(settings, keys, 5, first)
            deadline = monotonic() + TIMEOUT_SECONDS
            while sum(store.offsets(topic).values()) == before:
                assert monotonic() < deadline
                Event().wait(0.002)
            supervisor.kill("materializer")
        wait_until_stored(settings, store)

        assert store.count_versions(MODEL) == {rounds: keys}
        for key in range(0, keys, 17):
            found = store.get(MODEL, f"k{key}")
            assert (found.outputs, found.id) == ({"round": rounds - 1}, f"{rounds - 1}-{key}")


@pytest.mark.real
def test_a_second_materializer_ends_and_says_why(settings):
    send(settings, 10, 1)
    stop, topic = Event(), settings.topics().predictions
    with ExitStack() as opened:
        store = opened.enter_context(open_prediction_store(settings))
        thread = Thread(target=run_materializer, args=(settings, stop))
        thread.start()
        opened.callback(thread.join)
        opened.callback(stop.set)
        wait_until_stored(settings, store)
        batch = NewestPredictions(offsets={f"{topic}:0": 99})

        with pytest.raises(StoreMoved, match="run one materializer for each stream"):
            StoreWriter(store, stop).write(topic, {f"{topic}:0": 98}, batch)


class FlakyStore:
    """A store whose transactions end with an error, before or after they were committed."""

    def __init__(self, failures):
        self.failures = list(failures)
        self.found = {}
        self.commits = 0

    def offsets(self, topic):
        self._fail("offsets")
        return dict(self.found)

    def write(self, predictions, before, after):
        self._fail("before")
        assert all(self.found.get(name, 0) == at for name, at in before.items())
        self.found |= after
        self.commits += 1
        self._fail("after")

    def _fail(self, place):
        if self.failures[:1] == [place]:
            del self.failures[0]
            raise StoreUnavailable("here", "it is away")


@pytest.mark.parametrize(
    "failures",
    [[], ["before"], ["after"], ["before", "offsets", "after"], ["after", "offsets", "offsets"]],
)
def test_a_batch_is_committed_once_whatever_the_store_says(failures, monkeypatch):
    monkeypatch.setattr("modstream.services.materializer.FIRST_RETRY_SECONDS", 0.001)
    store, batch = FlakyStore(failures), NewestPredictions(offsets={"t:0": 5})
    writer = StoreWriter(store, Event())

    assert writer.write("t", {}, batch)
    assert (store.commits, store.found, store.failures) == (1, {"t:0": 5}, [])
    assert not writer.problem


def test_a_materializer_that_waits_for_its_store_can_be_stopped():
    stop = Event()
    writer = StoreWriter(FlakyStore(["before"] * 1000), stop)
    thread = Thread(target=writer.write, args=("t", {}, NewestPredictions(offsets={"t:0": 5})))
    thread.start()
    deadline = monotonic() + TIMEOUT_SECONDS
    while not writer.problem:
        assert monotonic() < deadline
        Event().wait(0.01)
    stop.set()
    thread.join(TIMEOUT_SECONDS)

    assert not thread.is_alive()
    assert "it is away" in writer.problem
