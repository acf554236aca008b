"""A worker's copy of a stream's features, kept up to date by a thread in the background."""

from threading import Event
from time import monotonic
from typing import Self

import structlog

from modstream.broker.client.reader import Reader
from modstream.broker.errors import BrokerError
from modstream.features.copy_on_disk import CopyOnDisk
from modstream.features.definitions import DefinitionReader, Definitions, open_definitions
from modstream.features.recovery import polls_to_present
from modstream.features.table_tail import open_copy
from modstream.features.worker_copies import CopyInMemory, WorkerCopy
from modstream.process.background import BackgroundThread
from modstream.processors.aggregate.disk.rows import ByGroup
from modstream.processors.errors import StateUnusable
from modstream.processors.features.state import StateSize
from modstream.processors.predict.stream_features import NO_FEATURES, StreamFeatures
from modstream.settings import Settings

POLL_SECONDS = 0.1
CLOSE_SECONDS = 5.0


class FeatureFollower:
    """The features of a stream. `features` is called between two batches, by one thread.

    The thread in the background reads the topic of features into the worker's copy. With new
    definitions it reads what these need, while the features of the last ones are still served.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topics().features
        self._table = open_definitions(settings)
        self._definitions = DefinitionReader(self._table, settings.stream)
        self._copy = open_worker_copy(settings)
        self._ready = Event()
        self._log = structlog.get_logger(__name__)
        self._thread = BackgroundThread(
            "stream-features", self._follow, retry_on=(BrokerError,), retry_seconds=1.0
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop(CLOSE_SECONDS)
        self._copy.close()
        self._table.__exit__()

    def wait_ready(self) -> bool:
        """Wait until the features are loaded, if there are any; return whether they are."""
        return self._ready.wait(self._settings.stream_features.ready_seconds)

    def features(self) -> StreamFeatures:
        """Return the features as they are now; they change only when this is called again.

        Raises:
            StateUnusable: the copy on disk cannot be read or written.
        """
        found = self._copy.features()
        return NO_FEATURES if found is None else found

    @property
    def size(self) -> StateSize:
        """The size of the copy: partial aggregates, and bytes in memory or on disk."""
        return self._copy.size

    def _follow(self, stop: Event) -> None:
        """Follow the definitions; with each revision, read what the copy needs of the topic."""
        while not stop.is_set():
            found = self._definitions.read()
            if found is None:
                if not self._definitions.problem:
                    self._copy.drop()
                    self._ready.set()
                stop.wait(self._settings.stream_features.refresh_seconds)
                continue
            try:
                start = self._copy.begin(found)
            except StateUnusable:
                self._ready.set()  # The first batch raises the error.
                raise
            with Reader(self._settings.connection, [self._topic], start) as reader:
                self._load(found, reader, stop)
                self._tail(found, reader, stop)

    def _load(self, found: Definitions, reader: Reader, stop: Event) -> None:
        connection = self._settings.connection
        for records in polls_to_present(connection, reader, self._topic, stop):
            self._copy.load(records)
        self._copy.serve()
        self._ready.set()
        self._log.info(
            "stream features loaded",
            features=len(found.features.names),
            revision=found.revision,
        )

    def _tail(self, found: Definitions, reader: Reader, stop: Event) -> None:
        """Take updates until there are other definitions."""
        seconds = self._settings.stream_features.refresh_seconds
        look_at = monotonic() + seconds
        while not stop.is_set():
            self._copy.take(reader.poll(POLL_SECONDS))
            if monotonic() >= look_at:
                if self._definitions.has_changed(found):
                    return
                look_at = monotonic() + seconds


def open_worker_copy(settings: Settings) -> WorkerCopy:
    """Return the copy that the settings choose."""
    topic = settings.topics().features
    if settings.stream_features.store == "memory":
        return CopyInMemory(topic)
    process = f"worker-{settings.instance_name}"
    return CopyOnDisk(topic, lambda: open_copy(settings, process, ByGroup()))
