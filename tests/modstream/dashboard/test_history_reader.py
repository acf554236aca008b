"""The history of a real stream: read backwards in slices, each record once, and then followed."""

from dataclasses import replace
from time import time

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import BrokerError
from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header, Topics
from modstream.dashboard import history_plan
from modstream.dashboard.broker_watch import BrokerWatch
from modstream.dashboard.figures import StreamFigures, counted_topics
from modstream.dashboard.history_reader import HistoryReader
from modstream.dashboard.updates import UpdateSignal
from modstream.dashboard.window import history_start
from modstream.process.background import BackgroundThread

pytestmark = pytest.mark.real

REQUESTS = 1500
HOURS = 7
LATENCY_MS = 64
SOURCE = b'{"source":{"topic":"%s","partition":%d,"offset":%d}}'
TIMEOUT_SECONDS = 60


@pytest.fixture
def stream(bootstrap, prefix):
    """Create the topics of a stream whose records keep the times that a test gives them."""
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    config = {"retention.ms": "-1"}
    Admin(connection).create([replace(one, config=config) for one in topics.specs(2)])
    return connection, topics


def write_history(connection, topics, now):
    """Write requests of the last hours with their answers; return the requests as stored."""
    stored = []
    step = HOURS * 3_600_000 // REQUESTS
    times = [now - HOURS * 3_600_000 + number * step for number in range(REQUESTS)]
    with Publisher(connection) as publisher:
        for at in times:
            record = ProducerRecord(topics.requests, str(at).encode(), b"{}", (), at)
            publisher.send(record, lambda report: stored.append(report.record))
        publisher.flush()
    stored.sort(key=lambda one: (one.partition, one.offset))
    with TransactionalPublisher(connection, f"{topics.prefix}answers") as publisher:
        for start in range(0, REQUESTS, 500):
            publisher.publish([answer_to(one, topics) for one in stored[start : start + 500]])
    return stored


def answer_to(request, topics):
    value = SOURCE % (request.topic.encode(), request.partition, request.offset)
    headers = ((Header.KIND, KIND_PREDICTION), (Header.MODEL, b"online/3"))
    at = request.timestamp + LATENCY_MS
    return ProducerRecord(topics.predictions, request.key, value, headers, at)


def read_until_complete(reader, now):
    """Run a reader until its history is complete and `now` its records are in."""
    updates = UpdateSignal(lambda: (reader.figures.records, reader.unread_slices), 0.02)
    reading = BackgroundThread("reader", reader.run, retry_on=(BrokerError,), retry_seconds=0.01)
    with BackgroundThread("updates", updates.run), reading:
        deadline = time() + TIMEOUT_SECONDS
        while not reader.history(now).is_complete and time() < deadline:
            updates.wait(updates.revision, 1.0)
    return reader.figures


def series_of(figures, now):
    return figures.read(lambda one: one.counts.series(now, 6 * 3600, 2160), now)


def test_the_history_is_read_in_slices_and_each_record_is_counted_once_after_failures_too(
    stream, monkeypatch
):
    connection, topics = stream
    now = int(time() * 1000)
    requests = write_history(connection, topics, now)
    monkeypatch.setattr(history_plan, "MIN_SLICE_RECORDS", 200)

    reader = HistoryReader(connection, topics, StreamFigures(topics, ("online",)))
    figures = read_until_complete(reader, now)
    failing = FailingFigures(topics, ("online",))
    broken = HistoryReader(connection, topics, failing)
    read_until_complete(broken, now)
    now = int(time() * 1000)
    series = series_of(figures, now)
    expected = [one for one in requests if series.start <= one.timestamp < now // 10_000 * 10_000]

    assert sum(series.requests) * 10 == pytest.approx(len(expected), abs=0.1)
    assert sum(series.answers) * 10 == pytest.approx(len(expected), abs=1.1)
    assert {one for one in series.p50 if one is not None} == {LATENCY_MS}
    assert reader.figures.counts.answers("online", 3, now) == pytest.approx(len(expected), abs=12)
    assert reader.history(now).complete_from <= history_start(now)
    assert reader.unread_slices == 0
    assert (failing.failures, broken.error) == (0, None)
    assert series_of(failing, now) == series


class FailingFigures(StreamFigures):
    """Figures whose records are interrupted three times, as by a broker that goes away."""

    failures = 3

    def add(self, records, now):
        super().add(records, now)
        if self.failures and len(records) > 20:
            self.failures -= 1
            raise BrokerError("interrupted")


def test_partitions_that_are_added_are_followed_from_their_beginning(stream):
    connection, topics = stream
    watch = BrokerWatch(connection, counted_topics(topics))
    figures = StreamFigures(topics, ("online",))
    reader = HistoryReader(connection, topics, figures, watch.has_more_than)
    updates = UpdateSignal(lambda: figures.records, 0.02)
    with (
        BackgroundThread("updates", updates.run),
        BackgroundThread("watch", watch.run),
        BackgroundThread("reader", reader.run),
    ):
        send_requests(connection, topics)
        wait_for_records(figures, updates, 50)
        admin = AdminClient({"bootstrap.servers": connection.bootstrap})
        more = admin.create_partitions([NewPartitions(topics.requests, 6)])
        more[topics.requests].result(10)
        Admin(connection).wait_ready([topics.requests])
        used = send_requests(connection, topics)
        wait_for_records(figures, updates, 100)

    assert used > {2, 3, 4}
    assert figures.records == 100


def send_requests(connection, topics):
    """Send 50 requests; return the partitions that have got some."""
    partitions = set()
    with Publisher(connection) as publisher:
        for number in range(50):
            record = ProducerRecord(topics.requests, str(number).encode(), b"{}")
            publisher.send(record, lambda report: partitions.add(report.record.partition))
        publisher.flush()
    return partitions


def wait_for_records(figures, updates, count):
    """Wait until figures have so many records."""
    deadline, revision = time() + TIMEOUT_SECONDS, updates.revision
    while figures.records < count and time() < deadline:
        revision = updates.wait(revision, 1.0)


def test_a_stream_without_records_is_complete_at_once(stream):
    connection, topics = stream
    now = int(time() * 1000)

    reader = HistoryReader(connection, topics, StreamFigures(topics, ("online",)))
    figures = read_until_complete(reader, now)

    assert reader.history(now).is_complete
    assert figures.records == 0
    assert len(counted_topics(topics)) == 7
