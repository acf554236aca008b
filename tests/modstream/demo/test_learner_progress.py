"""The progress of a learner, as a replay waits for it."""

from threading import Event

import pytest

from modstream.broker.client.connection import Connection
from modstream.broker.errors import BrokerUnavailable
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.demo import record_follower
from modstream.demo.learner_progress import LearnerProgress

TIMEOUT = 20
TOPICS = Topics("flights")


class FakeReader:
    """A reader that returns its records once, then fails or has nothing more."""

    def __init__(self, *values, fails=False):
        self.records = [Record(TOPICS.metrics, 0, n, None, v) for n, v in enumerate(values)]
        self.fails = fails
        self.drained = Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def poll(self, timeout, _max_records):
        records, self.records = self.records, []
        if not records:
            self.drained.set()
            if self.fails:
                raise BrokerUnavailable("localhost:1", "connection refused")
            Event().wait(timeout)
        return records


@pytest.fixture
def follow(monkeypatch):
    def with_reader(reader):
        monkeypatch.setattr(record_follower, "Reader", lambda *_, **__: reader)
        return LearnerProgress(Connection("localhost:1"), TOPICS, "online")

    return with_reader


def metrics(kind="learner", model="online", event_time=0):
    return encode(Metrics(kind=kind, model=model, event_time=event_time, values={}))


def test_newest_event_time_of_the_followed_learner_counts(follow):
    reader = FakeReader(
        metrics(event_time=7),
        b"not JSON",
        metrics(model="frozen", event_time=9),
        metrics(kind="prequential", event_time=9),
        metrics(event_time=5),
    )

    with follow(reader) as progress:
        assert reader.drained.wait(TIMEOUT)

        assert progress.event_time() == 7


def test_broker_failure_reaches_the_replay_instead_of_freezing_it(follow):
    """The replay asks for the progress until it moves; a progress that stays would block it."""
    progress = follow(FakeReader(metrics(event_time=7), fails=True))

    def wait_as_the_replay_does():
        with progress:
            while not Event().wait(0.01):
                progress.event_time()

    with pytest.raises(BrokerUnavailable, match="connection refused"):
        wait_as_the_replay_does()
