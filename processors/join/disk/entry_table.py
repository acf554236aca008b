"""The table of entries on disk with its indices; `keys.py` describes the rows of the database.

All of a write is one batch, so entries, indices, counts and the offset always fit together.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from struct import error as StructError  # noqa: N812 - its name says nothing
from typing import NamedTuple

from rocksdict import WriteBatch

from modstream.processors.errors import StateDamaged
from modstream.processors.join.disk import keys
from modstream.processors.join.disk.progress import PROGRESS_ADAPTER, StoreProgress
from modstream.processors.join.disk.sorted_rows import SortedRows
from modstream.processors.join.entry import ENTRY_ADAPTER, JoinEntry, expiry_time
from modstream.processors.join.entry_store import ChangelogRow
from modstream.processors.storage.database import Database, new_batch
from modstream.processors.storage.store_folder import StoreFolder

MAX_CACHED = 2000
"""Number of entries in memory from which the older ones are dropped, after a write."""
MAX_CACHED_BYTES = 4 * 1024 * 1024
"""Their estimated size from which all are dropped, and none is read ahead."""
READ_AT_ONCE = 100
"""Number of entries that are read together."""


class Kept(NamedTuple):
    """An entry with its places in the indices; `orphan_number` is 0 if it is no waiting label."""

    entry: JoinEntry
    due: int
    number: int
    orphan_number: int


class EntryTable:
    """The entries by key, in the order in which they are due, and by age.

    In memory are the changes since the last write, and the entries used last.
    """

    def __init__(self, folder: StoreFolder, database: Database, progress: StoreProgress) -> None:
        self.due = SortedRows(database, keys.DUE)
        self.by_age = SortedRows(database, keys.AGE)
        self.orphans = SortedRows(database, keys.ORPHAN)
        self.untold = SortedRows(database, keys.UNTOLD)
        self.is_changed = False
        self._folder = folder
        self._database = database
        self._progress = progress
        self._kept: dict[str, Kept | None] = {}
        self._cached_bytes = 0
        self._rows: dict[str, set[int]] = {}
        self._changed_rows: set[str] = set()

    def find(self, key: str) -> Kept | None:
        """Return the entry of a row."""
        try:
            return self._kept[key]
        except KeyError:
            pass
        return self._keep(key, self._database.get(keys.ENTRY + keys.encode_key(key)))

    def read_ahead(self, names: Iterable[str]) -> None:
        """Read entries that may be needed next, as long as those in memory are small.

        Many at once cost half as much as one by one.
        """
        unknown = [key for key in dict.fromkeys(names) if key not in self._kept]
        for start in range(0, len(unknown), READ_AT_ONCE):
            if self._cached_bytes > MAX_CACHED_BYTES:
                return
            part = unknown[start : start + READ_AT_ONCE]
            values = self._database.get_many([keys.ENTRY + keys.encode_key(key) for key in part])
            for key, value in zip(part, values, strict=True):
                self._keep(key, value)

    def entry_of(self, row: bytes, following: Iterable[bytes] = ()) -> JoinEntry:
        """Return the entry of a row of an index; those of following rows will be needed, too."""
        key = keys.key_of(row)
        if key not in self._kept:
            self.read_ahead(map(keys.key_of, (row, *following)))
        kept = self.find(key)
        if kept is None:
            raise self._damaged("an index names an entry that is missing")
        return kept.entry

    def all(self) -> Mapping[str, JoinEntry]:
        """Return all entries."""
        found = {
            keys.decode_key(key): self._decode(value).entry
            for key, value in self._database.items(keys.ENTRY)
        }
        for key, kept in self._kept.items():
            found.pop(key, None)
            if kept is not None:
                found[key] = kept.entry
        return found

    def put(self, key: str, entry: JoinEntry | None) -> None:
        """Replace the entry of a row, or remove it."""
        before = self.find(key)
        if before is None and entry is None:
            return
        self.is_changed = True
        if before is not None:
            self._progress.count(before.entry, -1)
        if entry is None:
            if before is not None:
                self._forget(key, before)
            self._kept[key] = None
            return
        self._progress.count(entry, 1)
        self._kept[key] = self._place(key, entry, before)
        self._cached_bytes += entry.size

    def row_numbers(self, request_id: str) -> set[int]:
        """Return the numbers of a request's rows that have entries, besides row 0."""
        numbers = self._rows.get(request_id)
        if numbers is None:
            stored = self._database.get(keys.ROWS + keys.encode_key(request_id))
            numbers = self._rows[request_id] = set(array("i", stored or b""))
        return numbers

    def write(self, rows: Sequence[ChangelogRow]) -> None:
        """Write the changes, whose rows in the changelog are these, and the progress."""
        batch = new_batch()
        for key, value in rows:
            name = keys.ENTRY + key if key else keys.STATE
            if value is None:
                batch.delete(name)
            elif not key:
                batch.put(name, value)
            elif (kept := self._kept[keys.decode_key(key)]) is not None:
                batch.put(name, keys.NUMBERS.pack(kept.number, kept.orphan_number) + value)
        indices = (self.due, self.by_age, self.orphans, self.untold)
        for index in indices:
            index.write_to(batch)
        self._write_row_numbers(batch)
        batch.put(keys.PROGRESS, PROGRESS_ADAPTER.dump_json(self._progress))
        self._database.write(batch)
        for index in indices:
            index.written()
        self.is_changed = False
        self._rows.clear()
        if len(self._kept) > MAX_CACHED or self._cached_bytes > MAX_CACHED_BYTES:
            self._drop_cached()

    def write_progress(self) -> None:
        """Write the progress alone."""
        batch = new_batch()
        batch.put(keys.PROGRESS, PROGRESS_ADAPTER.dump_json(self._progress))
        self._database.write(batch)

    def _keep(self, key: str, value: bytes | None) -> Kept | None:
        """Return what was read for a row, and keep it in memory."""
        kept = self._kept[key] = None if value is None else self._decode(value)
        if kept is not None:
            self._cached_bytes += kept.entry.size
        return kept

    def _decode(self, value: bytes) -> Kept:
        try:
            number, orphan_number = keys.NUMBERS.unpack_from(value)
            entry = ENTRY_ADAPTER.validate_json(value[keys.NUMBERS.size :])
        except (ValueError, StructError) as error:
            raise self._damaged("an entry cannot be read") from error
        return Kept(entry, expiry_time(entry, self._progress.horizon), number, orphan_number)

    def _damaged(self, reason: str) -> StateDamaged:
        self._folder.condemn(reason)
        return StateDamaged(self._folder.path, reason)

    def _place(self, key: str, entry: JoinEntry, before: Kept | None) -> Kept:
        """Return an entry with its places in the indices, and change these."""
        due = expiry_time(entry, self._progress.horizon)
        if before is None:
            number, orphan_number = self._progress.next_number(), 0
            self.by_age.add(keys.age_row(number, key))
            if entry.row:
                self.row_numbers(entry.id).add(entry.row)
                self._changed_rows.add(entry.id)
        else:
            number, orphan_number = before.number, before.orphan_number
        if before is None or before.due != due:
            if before is not None:
                self.due.remove(keys.due_row(before.due, key))
            self.due.add(keys.due_row(due, key))
        if entry.is_orphan and not orphan_number:
            orphan_number = self._progress.next_number()
            self.orphans.add(keys.age_row(orphan_number, key))
        elif orphan_number and not entry.is_orphan:
            self.orphans.remove(keys.age_row(orphan_number, key))
            orphan_number = 0
        return Kept(entry, due, number, orphan_number)

    def _forget(self, key: str, before: Kept) -> None:
        """Remove an entry from the indices."""
        self.due.remove(keys.due_row(before.due, key))
        self.by_age.remove(keys.age_row(before.number, key))
        if before.orphan_number:
            self.orphans.remove(keys.age_row(before.orphan_number, key))
        if before.entry.row:
            self.row_numbers(before.entry.id).discard(before.entry.row)
            self._changed_rows.add(before.entry.id)

    def _write_row_numbers(self, batch: WriteBatch) -> None:
        for request_id in self._changed_rows:
            name = keys.ROWS + keys.encode_key(request_id)
            if numbers := self._rows[request_id]:
                batch.put(name, array("i", sorted(numbers)).tobytes())
            else:
                batch.delete(name)
        self._changed_rows.clear()

    def _drop_cached(self) -> None:
        """Keep the newer half of the entries in memory, if they are small."""
        if self._cached_bytes > MAX_CACHED_BYTES:
            self._kept.clear()
        else:
            self._kept = dict(islice(self._kept.items(), len(self._kept) // 2, None))
        self._cached_bytes = sum(one.entry.size for one in self._kept.values() if one is not None)
