"""An index on disk: rows in order, with the changes that are not written yet."""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import takewhile

from rocksdict import WriteBatch

from modstream.processors.storage.database import Database

READ_AHEAD = 128
"""Number of rows that are read from disk at once."""


class SortedRows:
    """The rows with one prefix; only the first ones are ever read.

    In memory are the changes since the last write, and up to `READ_AHEAD` rows. No row on disk
    comes before these or, without any, before `_cursor`: so a scan does not step over removed rows
    again and again.
    """

    def __init__(self, database: Database, prefix: bytes) -> None:
        self._database = database
        self._prefix = prefix
        self._added: set[bytes] = set()
        self._added_in_order: list[bytes] = []
        self._removed: set[bytes] = set()
        self._ahead: deque[bytes] = deque()
        self._cursor = b""
        self._is_exhausted = False

    def add(self, row: bytes) -> None:
        """Add a row."""
        if row not in self._added:
            self._added.add(row)
            heappush(self._added_in_order, row)

    def remove(self, row: bytes) -> None:
        """Remove a row, whether it was written or not."""
        self._added.discard(row)
        self._removed.add(row)

    def first(self) -> bytes | None:
        """Return the first row."""
        ordered = self._added_in_order
        while ordered and ordered[0] not in self._added:
            heappop(ordered)
        stored = self._first_stored()
        if ordered and (stored is None or ordered[0] < stored):
            return ordered[0]
        return stored

    def before(self, end: bytes) -> Iterator[bytes]:
        """Yield those of the next rows before `end` that are in memory; some may be removed."""
        return takewhile(end.__gt__, self._ahead)

    def write_to(self, batch: WriteBatch) -> None:
        """Add the changes to a batch, which is written next."""
        for row in self._removed - self._added:
            batch.delete(self._prefix + row)
        for row in self._added:
            batch.put(self._prefix + row, b"")

    def written(self) -> None:
        """Note that the batch was written."""
        added, removed = self._added, self._removed
        if removed:
            self._ahead = deque(row for row in self._ahead if row not in removed)
        if added:
            self._is_exhausted = False
            first = min(added)
            if first < self._cursor:
                self._cursor = min(first, self._ahead[0]) if self._ahead else first
                self._ahead.clear()
        self._added, self._added_in_order, self._removed = set(), [], set()

    def _first_stored(self) -> bytes | None:
        while True:
            while self._ahead:
                row = self._ahead[0]
                if row not in self._removed:
                    return row
                self._ahead.popleft()
            if self._is_exhausted:
                return None
            found = self._database.keys(self._prefix, self._cursor, READ_AHEAD)
            self._is_exhausted = len(found) < READ_AHEAD
            if found:
                self._cursor = found[-1] + b"\0"
                self._ahead.extend(found)
