"""The port of what keeps a partition's entries: in memory (`entries.py`) or on disk (`disk/`)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from modstream.processors.join.entry import JoinEntry

ChangelogRow = tuple[bytes, bytes | None]
"""The key of a changelog row, and its value; None removes the row."""


class OffsetRange(NamedTuple):
    """Rows of a changelog without others between them: the first offset, and the next one."""

    start: int
    end: int


class EntryStore(Protocol):
    """The entries of one partition by the key of their row, within limits.

    What is beyond the limits is dropped by the owner, the oldest first: `next_evicted` names it.
    Changes are visible at once, and kept by `commit`, once the changelog has them.
    """

    @property
    def open_count(self) -> int:
        """The number of rows of which one side has arrived."""

    @property
    def orphan_count(self) -> int:
        """The number of labels that wait for their prediction."""

    @property
    def state_row(self) -> bytes | None:
        """The partition's state row, as of the last commit."""

    @property
    def next_offset(self) -> int | None:
        """The changelog offset before which all rows are kept here; None: none is known to be."""

    def get(self, key: str) -> JoinEntry | None:
        """Return the entry of a row."""

    def read_ahead(self, names: Iterable[str]) -> None:
        """Read the entries of rows that may be asked for next; there need not be any of them."""

    def snapshot(self) -> Mapping[str, JoinEntry]:
        """Return all entries, read into memory."""

    def rows_of(self, request_id: str) -> Iterator[str]:
        """Yield the keys of all entries of a request, and the id itself first."""

    def put(self, key: str, entry: JoinEntry | None) -> None:
        """Replace the entry of a row, or remove it."""

    def pop_due(self, watermark: int) -> JoinEntry | None:
        """Return the next entry that is due before the watermark, which the owner changes."""

    def next_evicted(self) -> tuple[JoinEntry, str] | None:
        """Return the oldest entry if there are too many, and why; None within the limits."""

    def oldest_orphan(self) -> JoinEntry | None:
        """Return the label that has waited longest for its prediction; it stays."""

    def add_untold(self, request_ids: Iterable[str]) -> None:
        """Note requests whose waiting labels cannot be joined and were not told so."""

    def take_untold(self) -> Collection[str]:
        """Return some of these requests, and forget them; none when all were taken."""

    def commit(self, rows: Sequence[ChangelogRow], written: OffsetRange | None) -> None:
        """Keep the changes, now that the changelog has them.

        Args:
            rows: the changed rows as in the changelog, and the state row.
            written: where they are in the changelog; None if other rows may be between them.

        Raises:
            StateUnusable: they cannot be written to disk.
        """

    def commit_restored(self, rows: Sequence[ChangelogRow], end: int) -> None:
        """Keep changes that were read from the changelog, which was read up to `end`."""

    def confirm(self) -> None:
        """Note that nothing was written to the changelog since the last commit."""

    def reject_changelog(self) -> None:
        """Note that the changelog is another one than the store was written from.

        Raises:
            StateForeign: the store has its content from the other one, and is built anew later.
        """

    def size_on_disk(self) -> int:
        """Return the bytes of the store's files."""

    def close(self) -> None:
        """Close the files; uncommitted changes are lost."""
