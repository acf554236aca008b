"""What is monitored of a real stream: read from its newest feedback, and computed again."""

from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.dashboard import monitoring_reader
from modstream.dashboard.monitoring_reader import MonitoringReader
from modstream.process.background import BackgroundThread
from tests.modstream.dashboard.feedback_rows import KnownVersions, make_feedback

pytestmark = pytest.mark.real

TIMEOUT_SECONDS = 60.0


@pytest.fixture
def stream(bootstrap, prefix):
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    Admin(connection).create(topics.specs(2))
    return connection, topics


def send(connection, topics, feedback):
    with Publisher(connection) as publisher:
        for one in feedback:
            publisher.send(ProducerRecord(topics.feedback, one.id.encode(), encode(one)))
        publisher.send(ProducerRecord(topics.feedback, b"broken", b"{"))
        publisher.flush()


def wait_for_labels(reader, thread, labels):
    """Wait until the figures cover so many labels."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while monotonic() < deadline and not thread.has_failed:
        found = reader.latest.get("online")
        if found is not None and found.labels == labels:
            return
        thread.join(0.05)
    raise AssertionError(f"{reader.latest} does not cover {labels} labels")


def test_figures_cover_the_labels_there_are_and_then_those_that_arrive(stream, monkeypatch):
    monkeypatch.setattr(monitoring_reader, "MIN_PAUSE_S", 0.05)
    connection, topics = stream
    feedback = list(make_feedback(400))
    send(connection, topics, feedback[:300])
    reader = MonitoringReader(connection, topics, KnownVersions())
    with BackgroundThread("monitoring", reader.run) as thread:
        wait_for_labels(reader, thread, 300)
        first = reader.number
        send(connection, topics, feedback[300:])
        wait_for_labels(reader, thread, 400)

    assert reader.number > first
    assert reader.latest["online"].with_features == 400


def test_only_the_newest_records_are_read_once_versions_can_be_looked_up(stream, monkeypatch):
    monkeypatch.setattr(monitoring_reader, "MAX_ROWS", 100)
    monkeypatch.setattr(monitoring_reader, "POLL_INTERVAL_S", 0.02)
    connection, topics = stream
    send(connection, topics, make_feedback(600))
    numbers = []

    def can_score():
        numbers.append(reader.number)
        return len(numbers) > 3

    reader = MonitoringReader(connection, topics, KnownVersions(), can_score=can_score)
    with BackgroundThread("monitoring", reader.run) as thread:
        deadline = monotonic() + TIMEOUT_SECONDS
        while not reader.number and monotonic() < deadline:
            thread.join(0.05)

    assert numbers[:4] == [0, 0, 0, 0]
    assert 90 <= reader.latest["online"].labels <= 100
