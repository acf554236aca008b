"""How far a store has applied its changelog, and the counts of its entries."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from modstream.processors.join.entries import ENTRY_BYTES
from modstream.processors.join.entry import JoinEntry
from modstream.processors.join.entry_store import OffsetRange

FORMAT = 1
"""The version of the keys and values on disk; stores of another one are built anew."""
MAX_AGE_S = 20 * 3600
"""How long ago a store may have been known to have all of its changelog. Compaction removes the
rows that say that an entry has gone after `delete.retention.ms`, 24 hours: an older store might
keep such entries for ever."""
CONFIRM_INTERVAL_S = 60.0
"""Seconds after which that time is renewed while nothing changes."""


@dataclass(slots=True)
class StoreProgress:
    """The counts of a store, and the changelog offset before which it has all rows.

    `horizon` is the one that expiry times were computed with. `confirmed_at` is when the store was
    last known to have all rows, in seconds since the epoch. `number` is the last sequence number
    given, and `further_rows` the number of entries of rows other than a request's first.
    """

    horizon: int
    format: int = FORMAT
    next_offset: int | None = None
    confirmed_at: float = 0.0
    number: int = 0
    entries: int = 0
    open_count: int = 0
    orphan_count: int = 0
    further_rows: int = 0
    size: int = 0
    orphan_size: int = 0

    def count(self, entry: JoinEntry, sign: int) -> None:
        """Count an entry that is added (1) or removed (-1)."""
        size = entry.size + ENTRY_BYTES
        self.entries += sign
        self.open_count += sign * entry.is_open
        self.further_rows += sign * (entry.row != 0)
        self.size += sign * size
        if entry.is_orphan:
            self.orphan_count += sign
            self.orphan_size += sign * size

    def next_number(self) -> int:
        """Return the next sequence number, from 1."""
        self.number += 1
        return self.number

    def reason_to_rebuild(self, horizon: int, ends: OffsetRange | None, now: float) -> str:
        """Return why a store cannot be continued from the changelog; empty if it can be.

        Args:
            horizon: the one that is configured.
            ends: the first and the next offset of the changelog, if known.
            now: seconds since the epoch.
        """
        if self.format != FORMAT:
            return f"it has the format {self.format} of another version"
        if self.horizon != horizon:
            return f"joiner.horizon_ms was {self.horizon} and is {horizon}"
        if self.next_offset is None:
            return "it does not say how much of the changelog it has" if self.entries else ""
        if not -MAX_AGE_S < now - self.confirmed_at < MAX_AGE_S:
            hours = MAX_AGE_S // 3600
            return f"it is more than {hours} hours old: rows that say what has gone may be missing"
        if ends is not None and not ends.start <= self.next_offset <= ends.end:
            return (
                f"it ends at the offset {self.next_offset}, and the changelog has {ends.start} to"
                f" {ends.end}"
            )
        return ""


PROGRESS_ADAPTER: TypeAdapter[StoreProgress] = TypeAdapter(StoreProgress)
