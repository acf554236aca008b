"""How far the learner is, as it says itself on the metrics topic."""

from threading import Event, Thread
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.topics import Topics

POLL = 0.05


class Learned:
    """Follows one learner in a thread; `reached` is the event time (ms) of its newest label."""

    def __init__(self, connection: Connection, topics: Topics, model: str) -> None:
        self._reader = Reader(connection, [topics.metrics], start="end")
        self._model = model
        self._reached: int | None = None
        self._stop = Event()
        self._thread = Thread(target=self._follow, name="learned", daemon=True)

    def reached(self) -> int | None:
        """Event time of the newest label that has been learned and published; None before that."""
        return self._reached

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._reader.close()

    def _follow(self) -> None:
        while not self._stop.is_set():
            for record in self._reader.poll(POLL):
                try:
                    metrics = decode(Metrics, record.value)
                except DecodeError:
                    continue
                if metrics.kind == "learner" and metrics.model == self._model:
                    self._reached = max(self._reached or 0, metrics.event_time or 0)
