"""A worker's copy of a stream's features, kept up to date by a thread in the background."""

from collections.abc import Iterable
from threading import Event, Lock
from time import monotonic
from typing import Self

import structlog

from modstream.broker.client.reader import Reader
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import Record
from modstream.features.definitions import DefinitionReader, Definitions, open_definitions
from modstream.features.recovery import read_to_present
from modstream.process.background import BackgroundThread
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import UpdateCodec
from modstream.processors.predict.stream_features import NO_FEATURES, StreamFeatures
from modstream.settings import Settings

POLL_SECONDS = 0.1
CLOSE_SECONDS = 5.0


class FeatureFollower:
    """The features of a stream. `features` is called between two batches, by one thread.

    The thread in the background reads the topic of features, and keeps the newest update of each
    key until the next batch; so what waits is bounded by the number of keys. With new definitions
    it reads the topic from the beginning, while the features of the last ones are still served.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topics().features
        self._table = open_definitions(settings)
        self._definitions = DefinitionReader(self._table, settings.stream)
        self._lock = Lock()
        self._pending: dict[bytes | None, Record] = {}
        self._next: ServedFeatures | None = None
        self._served: ServedFeatures | None = None
        self._removed = False
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
        self._table.__exit__()

    def wait_ready(self) -> bool:
        """Wait until the features are loaded, if there are any; return whether they are."""
        return self._ready.wait(self._settings.stream_features.ready_seconds)

    def features(self) -> StreamFeatures:
        """Return the features as they are now; they change only when this is called again."""
        with self._lock:
            if self._removed:
                self._served, self._removed = None, False
            if self._next is not None:
                self._served, self._next = self._next, None
            pending, self._pending = self._pending, {}
        if self._served is None:
            return NO_FEATURES
        if pending:
            self._served.apply(pending.values())
        return self._served

    def _follow(self, stop: Event) -> None:
        """Follow the definitions; with each revision, read the topic from its beginning."""
        while not stop.is_set():
            found = self._definitions.read()
            if found is None:
                if not self._definitions.problem:
                    self._drop()
                    self._ready.set()
                stop.wait(self._settings.stream_features.refresh_seconds)
                continue
            with Reader(self._settings.connection, [self._topic]) as reader:
                self._load(found, reader, stop)
                self._tail(found, reader, stop)

    def _load(self, found: Definitions, reader: Reader, stop: Event) -> None:
        codec = UpdateCodec(self._topic, found.features.aggregations)
        served = ServedFeatures(found.features, codec)
        connection = self._settings.connection
        served.apply(read_to_present(connection, reader, self._topic, stop))
        with self._lock:
            self._next, self._pending = served, {}
        self._ready.set()
        self._log.info(
            "stream features loaded",
            features=len(found.features.names),
            revision=found.revision,
            partials=served.state.size.entries,
        )

    def _tail(self, found: Definitions, reader: Reader, stop: Event) -> None:
        """Take updates until there are other definitions."""
        seconds = self._settings.stream_features.refresh_seconds
        look_at = monotonic() + seconds
        while not stop.is_set():
            records = reader.poll(POLL_SECONDS)
            if records:
                self._take(records)
            if monotonic() >= look_at:
                if self._definitions.has_changed(found):
                    return
                look_at = monotonic() + seconds

    def _take(self, records: Iterable[Record]) -> None:
        with self._lock:
            for record in records:
                # The newest record comes last, so that the position is that of the last one.
                self._pending.pop(record.key, None)
                self._pending[record.key] = record

    def _drop(self) -> None:
        with self._lock:
            self._next, self._pending, self._removed = None, {}, True
