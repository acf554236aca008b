"""A copy of a stream's topic of features on disk, with the offset up to which it has all of it."""

from collections.abc import Callable, Iterable, Iterator
from time import time
from typing import NamedTuple

import msgspec

from modstream.broker.wire.records import Record
from modstream.processors.aggregate.disk.rows import OFFSETS, PROGRESS, RowOrder
from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.codec import decode_key
from modstream.processors.storage.database import Batch, Database, DatabaseView, new_batch

CONFIRM_INTERVAL_S = 60.0
"""Seconds after which the time of the last record is renewed while there is none."""


class TableProgress(msgspec.Struct):
    """How far the topic was applied.

    `topic_id` is Kafka's id of the topic, `order` the name of the rows' order. `confirmed_at` is
    when the copy was last known to have all of the topic, in seconds since the epoch.
    """

    topic_id: str
    order: str
    format: int
    offset: int = 0
    confirmed_at: float = 0.0


class PreparedRows(NamedTuple):
    """Changes of a copy; `offset` is that of the topic behind them."""

    batch: Batch
    offset: int


class FeatureTable:
    """The newest record of each key of a topic of features, and the offset behind the last.

    Records are applied in the order of their offsets, as often as one likes from an earlier offset
    on. It knows no definitions: records of all aggregations are kept until their tombstones.
    One thread prepares and writes; others may call `view`, but not while `write` runs.
    """

    def __init__(
        self,
        database: Database,
        order: RowOrder,
        progress: TableProgress,
        clock: Callable[[], float] = time,
    ) -> None:
        self.database = database
        self.unreadable = 0
        """The number of records that are no updates."""
        self._order = order
        self._progress = progress
        self._clock = clock

    @property
    def offset(self) -> int:
        """The offset of the topic before which all records are here."""
        return self._progress.offset

    def prepare(self, records: Iterable[Record]) -> PreparedRows:
        """Return the changes that consecutive records make."""
        batch, offset = new_batch(), self._progress.offset
        for record in records:
            offset = record.offset + 1
            row = self._row_of(record)
            if row is None:
                continue
            if record.value is None:
                batch.delete(row)
            else:
                batch.put(row, record.value)
        return PreparedRows(batch, offset)

    def write(self, prepared: PreparedRows) -> None:
        """Keep changes, and the offset behind them: all, or nothing.

        Raises:
            StateUnusable: they cannot be written to disk.
        """
        self._progress.offset = prepared.offset
        self._progress.confirmed_at = self._clock()
        prepared.batch.put(PROGRESS, msgspec.json.encode(self._progress))
        self.database.write(prepared.batch)

    def apply(self, records: Iterable[Record]) -> None:
        """Prepare and write the changes of consecutive records."""
        self.write(self.prepare(records))

    def confirm(self) -> None:
        """Note, now and then, that the topic has nothing new."""
        if self._clock() - self._progress.confirmed_at > CONFIRM_INTERVAL_S:
            self.apply(())

    def offsets(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys and values of the records that are no partial aggregates."""
        for row, value in self.view().items(OFFSETS):
            yield row[len(OFFSETS) :], value

    def next_offset(self, owner: str) -> int:
        """Return the next offset of an owner, up to which its records are counted; 0 if unknown."""
        value = self.database.get(OFFSETS + msgspec.json.encode((owner,)))
        return int(value) if value is not None and value.isdigit() else 0

    def view(self) -> DatabaseView:
        """Return the rows as they are now."""
        return self.database.view()

    def close(self) -> None:
        """Close the files; all that was written is kept."""
        self.database.close()

    def _row_of(self, record: Record) -> bytes | None:
        try:
            owner, key = decode_key(record.key or b"")
        except UnreadableFeatureState:
            return None if record.key is None else OFFSETS + record.key
        try:
            return self._order.row(owner, key)
        except UnreadableFeatureState:
            self.unreadable += 1
            return None
