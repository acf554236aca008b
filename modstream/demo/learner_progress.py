"""The learner's progress in event time, from its records on the metrics topic."""

from contextlib import ExitStack
from threading import Event
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.topics import Topics
from modstream.process.background import BackgroundThread

POLL_TIMEOUT_S = 0.05


class LearnerProgress:
    """A background thread that follows one learner's metrics."""

    def __init__(self, connection: Connection, topics: Topics, model: str) -> None:
        self._reader = Reader(connection, [topics.metrics], start="end")
        self._model = model
        self._event_time: int | None = None
        self._thread = BackgroundThread("learner-progress", self._follow)
        self._exit = ExitStack()

    def event_time(self) -> int | None:
        """Return the event time (ms) of the newest label learned and published, or None.

        Raises:
            BrokerError: the metrics topic can no longer be read, so progress is unknown.
        """
        self._thread.raise_if_failed()
        return self._event_time

    def __enter__(self) -> Self:
        self._exit.enter_context(self._reader)
        self._exit.enter_context(self._thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _follow(self, stop: Event) -> None:
        while not stop.is_set():
            for record in self._reader.poll(POLL_TIMEOUT_S):
                try:
                    metrics = decode(Metrics, record.value)
                except DecodeError:
                    continue
                if metrics.kind == "learner" and metrics.model == self._model:
                    self._event_time = max(self._event_time or 0, metrics.event_time or 0)
