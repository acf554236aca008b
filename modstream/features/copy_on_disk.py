"""A worker's copy of its stream's features on disk."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from modstream.broker.client.reader import StartPosition
from modstream.broker.wire.records import Record
from modstream.features.definitions import Definitions
from modstream.features.recovery import feature_partition
from modstream.processors.aggregate.disk.group_cache import GroupCache
from modstream.processors.aggregate.disk.table import FeatureTable
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import UpdateCodec
from modstream.processors.errors import StateUnusable
from modstream.processors.features.state import StateSize

MAX_PENDING = 20_000
"""The number of updates for groups in memory that wait for the next batch; with more, these groups
are read again from disk."""


class ServedFromDisk(NamedTuple):
    """Features, and the groups of them that are in memory."""

    features: ServedFeatures
    cache: GroupCache


class CopyOnDisk:
    """Features on disk, with the groups used last in memory.

    Records are written to disk when they arrive. Each batch reads its groups from a view, that of
    the moment when it began; updates of the groups in memory wait for the next batch.
    """

    def __init__(self, topic: str, open_table: Callable[[], FeatureTable]) -> None:
        self._topic = topic
        self._open = open_table
        self._lock = Lock()
        self._table: FeatureTable | None = None
        self._pending: dict[bytes | None, Record] = {}
        self._is_complete = True
        """Whether `_pending` has all records since the last batch."""
        self._loading: ServedFromDisk | None = None
        self._next: ServedFromDisk | None = None
        self._served: ServedFromDisk | None = None
        self._removed = False
        self._failure: StateUnusable | None = None

    @property
    def size(self) -> StateSize:
        """An estimate of the number of partial aggregates on disk, and the bytes of the files."""
        if self._table is None:
            return StateSize(0, 0)
        return StateSize(self._table.database.count(), self._table.database.size())

    def begin(self, found: Definitions) -> StartPosition:
        """Build the features of other definitions from the same rows."""
        with self._failing():
            if self._table is None:
                self._table = self._open()
        codec = UpdateCodec(self._topic, found.features.aggregations)
        cache = GroupCache(found.features)
        self._loading = ServedFromDisk(ServedFeatures(found.features, codec, cache), cache)
        return {feature_partition(self._topic): self._table.offset}

    def load(self, records: Sequence[Record]) -> None:
        """Write records to disk."""
        self.take(records)

    def serve(self) -> None:
        """Serve the features that were built, from the next batch on."""
        with self._lock:
            self._next, self._loading = self._loading, None

    def take(self, records: Sequence[Record]) -> None:
        """Write records to disk, and let them wait for the next batch."""
        if self._table is None:
            return
        if not records:
            with self._lock, self._failing():
                self._table.confirm()
            return
        prepared = self._table.prepare(records)
        with self._lock, self._failing():
            self._table.write(prepared)
            self._is_complete &= len(self._pending) + len(records) <= MAX_PENDING
            if not self._is_complete:
                self._pending.clear()
                return
            for record in records:
                self._pending.pop(record.key, None)
                self._pending[record.key] = record

    def drop(self) -> None:
        """Serve no features from the next batch on."""
        with self._lock:
            self._next, self._removed = None, True

    def features(self) -> ServedFeatures | None:
        """Return the features as the rows on disk are now.

        Raises:
            StateUnusable: the files cannot be read or written.
        """
        if self._failure is not None:
            raise self._failure
        with self._lock:
            if self._removed:
                self._served, self._removed = None, False
            is_complete = self._is_complete and self._next is None
            if self._next is not None:
                self._served, self._next = self._next, None
            pending, self._pending, self._is_complete = self._pending, {}, True
            if self._served is None or self._table is None:
                return None
            served, cache = self._served
            if not is_complete or served.offset != self._table.offset:
                cache.move_to(self._table.view(), keep=is_complete)
            position = self._table.offset
        served.apply(pending.values() if is_complete else ())
        served.offset = position
        cache.trim()
        return served

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            if self._served is not None:
                self._served.cache.release()
            self._served = self._next = self._loading = None
            if self._table is not None:
                self._table.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Let an error of the files also end the thread that asks for the features."""
        try:
            yield
        except StateUnusable as error:
            self._failure = error
            raise
