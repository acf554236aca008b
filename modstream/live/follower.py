"""Background threads that follow the topics of a running stream and sample its lag."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from threading import Event
from time import time
from typing import Self

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, StartPosition
from modstream.broker.errors import BrokerError
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.live.lag import read_known_lag
from modstream.live.rolling_stats import RollingStats
from modstream.process.background import BackgroundThread

POLL_INTERVAL_S = 0.25
"""Time between polls. Records accumulate in between, and few large batches cost little CPU time."""
MAX_POLL_RECORDS = 10_000


def followed_topics(topics: Topics) -> tuple[str, ...]:
    """Return the topics that the live view needs."""
    return (
        topics.requests,
        topics.predictions,
        topics.dlq,
        topics.labels,
        topics.feedback,
        topics.unjoined,
        topics.model_events,
    )


class TopicFollower:
    """A background thread that reads a stream's topics from `start` and adds them to `stats`.

    The start offsets are looked up when the context is entered, so no later record is missed.
    While the broker is unavailable, the thread retries.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        stats: RollingStats,
        start: StartPosition = "end",
    ) -> None:
        self._stats = stats
        self._open = partial(Reader, connection, followed_topics(topics), start)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        reader = self._exit.enter_context(self._open())
        target = partial(self._run, reader)
        # The client reconnects by itself, and a view may miss what it could not read.
        thread = BackgroundThread("topic-follower", target, retry_on=(BrokerError,))
        self._exit.enter_context(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _run(self, reader: Reader, stop: Event) -> None:
        while not stop.wait(POLL_INTERVAL_S):
            self._stats.add(reader.poll(0.0, MAX_POLL_RECORDS))


class LagSampler:
    """A background thread that measures the lag of each service every `interval` seconds.

    `latest` is the newest lag, by service; services that have not read the stream are left out.
    With `publishes`, each sample is written to the topic of metrics for the report, since lag
    cannot be computed from the topics afterwards.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        interval: float = 2.0,
        *,
        publishes: bool = True,
    ) -> None:
        self.latest: Mapping[str, int] = {}
        self._publishes = publishes
        self._connection = connection
        self._topics = topics
        self._interval = interval
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        publisher = None
        if self._publishes:
            publisher = self._exit.enter_context(Publisher(self._connection, "modstream-lag"))
        target = partial(self._run, publisher)
        # A broker that restarts is unavailable for some seconds only.
        thread = BackgroundThread(
            "lag-sampler", target, retry_on=(BrokerError,), retry_seconds=self._interval
        )
        self._exit.enter_context(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _run(self, publisher: Publisher | None, stop: Event) -> None:
        admin = Admin(self._connection)
        while not stop.is_set():
            self.latest = read_known_lag(admin, self._topics)
            if publisher is not None:
                publisher.send(lag_record(self._topics, self.latest, int(time() * 1000)))
            stop.wait(self._interval)


def lag_record(topics: Topics, lag: Mapping[str, int], sampled_at: int) -> ProducerRecord:
    """Return a record of the metrics topic with the lag at `sampled_at` (wall time, ms)."""
    values = {service: float(count) for service, count in lag.items()}
    metrics = Metrics(kind="lag", event_time=sampled_at, values=values)
    return ProducerRecord(topics.metrics, b"lag", encode(metrics))
