"""A background thread that reads topics from their ends, for what the replay waits for."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.wire.records import Record
from modstream.process.background import BackgroundThread

POLL_TIMEOUT_S = 0.05
MAX_POLL_RECORDS = 5000


class RecordFollower(ABC):
    """Passes the new records of topics to `read`, in a thread, while the context is entered."""

    def __init__(self, name: str, connection: Connection, topics: Sequence[str]) -> None:
        self._reader = Reader(connection, topics, start="end")
        self._thread = BackgroundThread(name, self._follow)
        self._exit = ExitStack()

    @abstractmethod
    def read(self, records: Sequence[Record]) -> None:
        """Take the next records; called by the thread."""

    def raise_if_failed(self) -> None:
        """Raise the error that has ended the thread, if there is one.

        Raises:
            BrokerError: the topics can no longer be read.
        """
        self._thread.raise_if_failed()

    def __enter__(self) -> Self:
        self._exit.enter_context(self._reader)
        self._exit.enter_context(self._thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _follow(self, stop: Event) -> None:
        while not stop.is_set():
            self.read(self._reader.poll(POLL_TIMEOUT_S, MAX_POLL_RECORDS))
