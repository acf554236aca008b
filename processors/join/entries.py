"""All entries of one partition in memory: by row, by the time they are due, and by their age."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from modstream.broker.wire.identifiers import row_key
from modstream.processors.join.entry import JoinEntry, expiry_time
from modstream.processors.join.entry_store import ChangelogRow, OffsetRange
from modstream.processors.join.settings import EntryLimits

ENTRY_BYTES = 600
"""Memory of an entry besides its texts and numbers, measured: the row's key, the times, the place
in the dictionary."""
MIN_QUEUE = 1000


class MemoryEntries:
    """An `EntryStore` in memory: each start reads the changelog from its beginning."""

    state_row: bytes | None = None
    next_offset: int | None = None

    def __init__(self, horizon: int, limits: EntryLimits) -> None:
        self.by_key: dict[str, JoinEntry] = {}
        self.open_count = 0
        self.orphan_count = 0
        self.size = 0
        self._horizon = horizon
        self._limits = limits
        self._orphan_size = 0
        self._rows: dict[str, set[int]] = {}
        self._due: list[tuple[int, str]] = []
        self._by_age: deque[str] = deque()
        self._orphans_by_age: deque[str] = deque()
        self._untold: set[str] = set()

    def get(self, key: str) -> JoinEntry | None:
        """Return the entry of a row."""
        return self.by_key.get(key)

    def read_ahead(self, _names: Iterable[str]) -> None:
        """Do nothing: all entries are in memory."""

    def snapshot(self) -> Mapping[str, JoinEntry]:
        """Return all entries."""
        return self.by_key

    def rows_of(self, request_id: str) -> Iterator[str]:
        """Yield the keys of all entries of a request."""
        yield request_id
        for row in sorted(self._rows.get(request_id, ())):
            yield row_key(request_id, row)

    def put(self, key: str, entry: JoinEntry | None) -> None:
        """Replace the entry of a row, or remove it."""
        before = self.by_key.get(key)
        if before is not None:
            self._count(before, -1)
        if entry is None:
            if before is not None:
                del self.by_key[key]
                self._forget_row(before)
            return
        self.by_key[key] = entry
        self._count(entry, 1)
        if before is None:
            self._by_age.append(key)
            if entry.row:
                self._rows.setdefault(entry.id, set()).add(entry.row)
        if entry.is_orphan and not (before is not None and before.is_orphan):
            self._orphans_by_age.append(key)
        time = expiry_time(entry, self._horizon)
        if before is None or expiry_time(before, self._horizon) != time:
            heappush(self._due, (time, key))
        self._compact()

    def pop_due(self, watermark: int) -> JoinEntry | None:
        """Return the next entry that is due before the watermark, or None. It is not removed."""
        while self._due and self._due[0][0] < watermark:
            time, key = heappop(self._due)
            entry = self.by_key.get(key)
            if entry is not None and expiry_time(entry, self._horizon) == time:
                return entry
        return None

    def next_evicted(self) -> tuple[JoinEntry, str] | None:
        """Return the oldest entry if there are too many, and why; the owner removes it."""
        limits = self._limits
        if detail := limits.excess_of_orphans(self.orphan_count, self._orphan_size):
            return self._oldest(self._orphans_by_age), detail
        if detail := limits.excess_of_entries(len(self.by_key), self.size):
            return self._oldest(self._by_age), detail
        return None

    def oldest_orphan(self) -> JoinEntry | None:
        """Return the label that has waited longest for its prediction; it stays."""
        while self._orphans_by_age:
            entry = self.by_key.get(self._orphans_by_age[0])
            if entry is not None and entry.is_orphan:
                return entry
            self._orphans_by_age.popleft()
        return None

    def add_untold(self, request_ids: Iterable[str]) -> None:
        """Note requests whose waiting labels were not told."""
        self._untold.update(request_ids)

    def take_untold(self) -> Collection[str]:
        """Return these requests, and forget them."""
        untold, self._untold = self._untold, set()
        return untold

    def commit(self, rows: Sequence[ChangelogRow], written: OffsetRange | None) -> None:
        """Do nothing: the changelog has the rows."""

    def commit_restored(self, rows: Sequence[ChangelogRow], end: int) -> None:
        """Do nothing."""

    def confirm(self) -> None:
        """Do nothing."""

    def reject_changelog(self) -> None:
        """Do nothing: each start reads the changelog."""

    def size_on_disk(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Do nothing."""

    def _oldest(self, keys: deque[str]) -> JoinEntry:
        only_orphans = keys is self._orphans_by_age
        while True:
            entry = self.by_key.get(keys.popleft())
            if entry is not None and (entry.is_orphan or not only_orphans):
                return entry

    def _count(self, entry: JoinEntry, sign: int) -> None:
        size = entry.size + ENTRY_BYTES
        self.open_count += sign * entry.is_open
        self.size += sign * size
        if entry.is_orphan:
            self.orphan_count += sign
            self._orphan_size += sign * size

    def _forget_row(self, entry: JoinEntry) -> None:
        rows = self._rows.get(entry.id)
        if entry.row and rows is not None:
            rows.discard(entry.row)
            if not rows:
                del self._rows[entry.id]

    def _compact(self) -> None:
        """Drop the keys of entries that have gone from the queues, once they are the most."""
        if len(self._by_age) > MIN_QUEUE + 1.5 * len(self.by_key):
            self._by_age = deque(dict.fromkeys(key for key in self._by_age if key in self.by_key))
        if len(self._orphans_by_age) > MIN_QUEUE + 1.5 * self.orphan_count:
            kept = dict.fromkeys(self._orphans_by_age)
            self._orphans_by_age = deque(key for key in kept if self._is_orphan(key))
        if len(self._due) > MIN_QUEUE + 1.5 * len(self.by_key):
            self._due = sorted(
                (expiry_time(entry, self._horizon), key) for key, entry in self.by_key.items()
            )

    def _is_orphan(self, key: str) -> bool:
        entry = self.by_key.get(key)
        return entry is not None and entry.is_orphan
