"""A worker's copy of its stream's features: in memory, or on disk.

One thread takes the records of the topic, another one, that of the handler, asks for the features
between two batches. Within a batch they do not change.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Protocol

from modstream.broker.client.reader import StartPosition
from modstream.broker.wire.records import Record
from modstream.features.definitions import Definitions
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import UpdateCodec
from modstream.processors.features.state import StateSize


class WorkerCopy(Protocol):
    """The copy of a worker."""

    @property
    def size(self) -> StateSize:
        """The size of the copy: partial aggregates, and bytes in memory or on disk."""

    def begin(self, found: Definitions) -> StartPosition:
        """Build the features of other definitions; return from where on records are needed."""

    def load(self, records: Sequence[Record]) -> None:
        """Take records for the features that are built."""

    def serve(self) -> None:
        """Serve the features that were built, from the next batch on."""

    def take(self, records: Sequence[Record]) -> None:
        """Take records for the features that are served."""

    def drop(self) -> None:
        """Serve no features from the next batch on."""

    def features(self) -> ServedFeatures | None:
        """Return the features as they are now; they change only when this is called again."""

    def close(self) -> None:
        """Free what the copy holds."""


class CopyInMemory:
    """Features in memory, built from the whole topic.

    The newest update of each key waits until the next batch; so what waits is bounded by the number
    of keys.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._lock = Lock()
        self._pending: dict[bytes | None, Record] = {}
        self._loading: ServedFeatures | None = None
        self._next: ServedFeatures | None = None
        self._served: ServedFeatures | None = None
        self._removed = False

    @property
    def size(self) -> StateSize:
        """The size of the features that are served."""
        served = self._served
        return StateSize(0, 0) if served is None else served.state.size

    def begin(self, found: Definitions) -> StartPosition:
        """Build the features of other definitions, while those of the last ones are served."""
        codec = UpdateCodec(self._topic, found.features.aggregations)
        self._loading = ServedFeatures(found.features, codec)
        return "beginning"

    def load(self, records: Sequence[Record]) -> None:
        """Take records for the features that are built."""
        if self._loading is not None:
            self._loading.apply(records)

    def serve(self) -> None:
        """Serve the features that were built, from the next batch on."""
        with self._lock:
            self._next, self._loading, self._pending = self._loading, None, {}

    def take(self, records: Sequence[Record]) -> None:
        """Let records wait for the next batch."""
        with self._lock:
            for record in records:
                # The newest record comes last, so that the position is that of the last one.
                self._pending.pop(record.key, None)
                self._pending[record.key] = record

    def drop(self) -> None:
        """Serve no features from the next batch on."""
        with self._lock:
            self._next, self._pending, self._removed = None, {}, True

    def features(self) -> ServedFeatures | None:
        """Return the features with all that has arrived."""
        with self._lock:
            if self._removed:
                self._served, self._removed = None, False
            if self._next is not None:
                self._served, self._next = self._next, None
            pending, self._pending = self._pending, {}
        if self._served is not None and pending:
            self._served.apply(pending.values())
        return self._served

    def close(self) -> None:
        """Do nothing."""
