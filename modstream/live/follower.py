"""Two threads beside a running stream: one follows its topics, one samples its lag."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from threading import Event, Thread
from time import time
from typing import Self

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, Start
from modstream.broker.errors import BrokerError
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.live.rolling_stats import Recent

POLL = 0.25
"""Seconds between two polls: records gather meanwhile, and few large batches cost little."""
MOST = 10_000


def followed(topics: Topics) -> tuple[str, ...]:
    """The topics that a live view needs."""
    return (
        topics.requests,
        topics.predictions,
        topics.dlq,
        topics.labels,
        topics.feedback,
        topics.unjoined,
        topics.model_events,
    )


def inputs(topics: Topics) -> dict[str, str]:
    """The topic that each role is measured by, by role.

    The joiner is judged by its labels: the predictions are written in transactions, whose
    markers count as offsets that nobody can commit.
    """
    return {"worker": topics.requests, "joiner": topics.labels, "learner": topics.feedback}


class Tail:
    """Reads on in a thread from `start` and folds into `recent`.

    The place to start from is found when it is entered, so that nothing sent afterwards is
    missed. While the broker is away it waits.
    """

    def __init__(
        self, connection: Connection, topics: Topics, recent: Recent, start: Start = "end"
    ) -> None:
        self._recent = recent
        self._open = partial(Reader, connection, followed(topics), start)
        self._stop = Event()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        reader = self._exit.enter_context(self._open())
        thread = Thread(target=self._run, args=[reader], name="tail", daemon=True)
        thread.start()
        self._exit.callback(thread.join)
        self._exit.callback(self._stop.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _run(self, reader: Reader) -> None:
        while not self._stop.wait(POLL):
            try:
                self._recent.add(reader.poll(0.0, MOST))
            except BrokerError as error:
                # The client connects again by itself; this is a view, not a record of the run.
                structlog.get_logger(__name__).info("tail waits", cause=str(error))
                self._stop.wait(1)


class LagSampler:
    """Looks at every role's lag each `interval` seconds and publishes it, for the report.

    Lag is the one figure that the topics do not keep. `latest` holds the newest by role.
    """

    def __init__(self, connection: Connection, topics: Topics, interval: float = 2.0) -> None:
        self.latest: Mapping[str, int] = {}
        self._connection = connection
        self._topics = topics
        self._interval = interval
        self._stop = Event()
        self._thread = Thread(target=self._run, name="lag", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        admin = Admin(self._connection)
        with Publisher(self._connection, "modstream-lag") as publisher:
            while not self._stop.is_set():
                try:
                    self.latest = lag(admin, self._topics)
                    publisher.send(sample(self._topics, self.latest, int(time() * 1000)))
                except BrokerError as error:
                    # A broker that restarts is away for moments; the next look will tell.
                    structlog.get_logger(__name__).info("lag not sampled", cause=str(error))
                self._stop.wait(self._interval)


def lag(admin: Admin, topics: Topics) -> dict[str, int]:
    """How many records each role has still before it, by role."""
    return {
        role: sum(admin.lag(topics.group(role), [topic]).values())
        for role, topic in inputs(topics).items()
    }


def sample(topics: Topics, waiting: Mapping[str, int], at: int) -> Outgoing:
    """A look at the lag as a record of the metrics topic; `at` is wall time, ms."""
    values = {role: float(count) for role, count in waiting.items()}
    metrics = Metrics(kind="lag", event_time=at, values=values)
    return Outgoing(topics.metrics, b"lag", encode(metrics))
