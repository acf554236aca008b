"""The store of a partition's entries on disk: what it has is never ahead of the changelog."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from time import time

import structlog

from modstream.broker.wire.identifiers import row_key
from modstream.processors.errors import StateForeign
from modstream.processors.join.disk import keys
from modstream.processors.join.disk.entry_table import EntryTable
from modstream.processors.join.disk.progress import CONFIRM_INTERVAL_S, StoreProgress
from modstream.processors.join.entry import JoinEntry
from modstream.processors.join.entry_store import ChangelogRow, OffsetRange
from modstream.processors.join.settings import EntryLimits
from modstream.processors.storage.database import Database
from modstream.processors.storage.store_folder import StoreFolder

UNTOLD_AT_ONCE = 1000
"""How many requests `take_untold` returns."""


class DiskEntries:
    """An `EntryStore` on disk.

    Changes are in memory until the changelog has them; `commit` then writes them in one batch with
    the changelog's offset. A process that dies before that has left the store as it was.
    """

    def __init__(
        self,
        folder: StoreFolder,
        database: Database,
        progress: StoreProgress,
        limits: EntryLimits,
        clock: Callable[[], float] = time,
    ) -> None:
        self._folder = folder
        self._database = database
        self._progress = progress
        self._limits = limits
        self._clock = clock
        self._table = EntryTable(folder, database, progress)
        self._is_behind = False

    @property
    def open_count(self) -> int:
        """The number of rows of which one side has arrived."""
        return self._progress.open_count

    @property
    def orphan_count(self) -> int:
        """The number of labels that wait for their prediction."""
        return self._progress.orphan_count

    @property
    def state_row(self) -> bytes | None:
        """The partition's state row, as of the last commit."""
        return self._database.get(keys.STATE)

    @property
    def next_offset(self) -> int | None:
        """The changelog offset before which all rows are kept here."""
        return self._progress.next_offset

    def get(self, key: str) -> JoinEntry | None:
        """Return the entry of a row."""
        kept = self._table.find(key)
        return None if kept is None else kept.entry

    def read_ahead(self, names: Iterable[str]) -> None:
        """Read the entries of rows that may be asked for next."""
        self._table.read_ahead(names)

    def snapshot(self) -> Mapping[str, JoinEntry]:
        """Return all entries, read into memory."""
        return self._table.all()

    def rows_of(self, request_id: str) -> Iterator[str]:
        """Yield the keys of all entries of a request, and the id itself first."""
        yield request_id
        if self._progress.further_rows:
            for row in sorted(self._table.row_numbers(request_id)):
                yield row_key(request_id, row)

    def put(self, key: str, entry: JoinEntry | None) -> None:
        """Replace the entry of a row, or remove it."""
        self._table.put(key, entry)

    def pop_due(self, watermark: int) -> JoinEntry | None:
        """Return the next entry that is due before the watermark, which the owner changes."""
        row = self._table.due.first()
        if row is None or keys.time_of(row) >= watermark:
            return None
        return self._table.entry_of(row, self._table.due.before(keys.due_row(watermark, "")))

    def next_evicted(self) -> tuple[JoinEntry, str] | None:
        """Return the oldest entry if there are too many, and why; the owner removes it."""
        progress, index = self._progress, self._table.orphans
        detail = self._limits.excess_of_orphans(progress.orphan_count, progress.orphan_size)
        if not detail:
            index = self._table.by_age
            detail = self._limits.excess_of_entries(progress.entries, progress.size)
        row = index.first() if detail else None
        return None if row is None else (self._table.entry_of(row), detail)

    def oldest_orphan(self) -> JoinEntry | None:
        """Return the label that has waited longest for its prediction; it stays."""
        row = self._table.orphans.first()
        return None if row is None else self._table.entry_of(row)

    def add_untold(self, request_ids: Iterable[str]) -> None:
        """Note requests whose waiting labels were not told."""
        for request_id in request_ids:
            self._table.untold.add(keys.encode_key(request_id))

    def take_untold(self) -> Collection[str]:
        """Return some of these requests, and forget them."""
        taken: list[str] = []
        untold = self._table.untold
        while len(taken) < UNTOLD_AT_ONCE and (row := untold.first()) is not None:
            untold.remove(row)
            taken.append(keys.decode_key(row))
        return taken

    def commit_created(self) -> None:
        """Write that the store is new, which also shows whether it can be written."""
        self._table.write_progress()

    def commit(self, rows: Sequence[ChangelogRow], written: OffsetRange | None) -> None:
        """Keep the changes, now that the changelog has them.

        After rows of another writer, the offset stays: the next start reads from there, and all
        rows in their order.
        """
        progress = self._progress
        if written is not None and progress.next_offset in {None, written.start}:
            progress.next_offset = written.end
            progress.confirmed_at = self._clock()
        elif not self._is_behind:
            self._is_behind = True
            structlog.get_logger(__name__).warning(
                "the joiner's changelog may have rows of another writer",
                state=str(self._folder.path),
                offset=progress.next_offset,
                effect="the next start reads the changelog from this offset on",
            )
        self._table.write(rows)

    def commit_restored(self, rows: Sequence[ChangelogRow], end: int) -> None:
        """Keep changes that were read from the changelog, which was read up to `end`."""
        self._progress.next_offset = end
        self._progress.confirmed_at = self._clock()
        self._table.write(rows)

    def confirm(self) -> None:
        """Note that nothing was written to the changelog since the last commit."""
        progress, now = self._progress, self._clock()
        is_due = now - progress.confirmed_at > CONFIRM_INTERVAL_S
        is_known = progress.next_offset is not None and not self._is_behind
        if is_due and is_known and not self._table.is_changed:
            progress.confirmed_at = now
            self._table.write_progress()

    def reject_changelog(self) -> None:
        """Stop, because the changelog is another one than the store was written from.

        Raises:
            StateForeign: always.
        """
        self._folder.condemn("it was written from another changelog of this name")
        raise StateForeign(self._folder.path)

    def size_on_disk(self) -> int:
        """Return the bytes of the store's files."""
        return self._database.size()

    def close(self) -> None:
        """Close the files; uncommitted changes are lost."""
        self._database.close()
