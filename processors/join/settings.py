"""Settings of the joiner."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

HOUR_MS = 3600 * 1000
GIB = 1024 * 1024 * 1024


class EntryLimits(NamedTuple):
    """How much is kept of one partition; see the settings of the same names.

    Labels without a prediction have limits of their own, so that they never displace predictions.
    """

    max_orphans: int = 100_000
    max_orphan_bytes: int = 64 * 1024 * 1024
    max_entries: int = 2_000_000
    max_entry_bytes: int = GIB

    def excess_of_orphans(self, count: int, size: int) -> str:
        """Return why a label that waits for its prediction must leave; empty within the limits."""
        if count > self.max_orphans:
            return f"evicted: more than {self.max_orphans:,} labels wait for a prediction"
        if size > self.max_orphan_bytes:
            return f"evicted: waiting labels need more than {self.max_orphan_bytes:,} bytes"
        return ""

    def excess_of_entries(self, count: int, size: int) -> str:
        """Return why a row must leave; empty within the limits."""
        if count > self.max_entries:
            return f"evicted: more than {self.max_entries:,} rows are kept"
        if size > self.max_entry_bytes:
            return f"evicted: the rows kept need more than {self.max_entry_bytes:,} bytes"
        return ""


LIMITS_ON_DISK = EntryLimits(max_entries=20_000_000, max_entry_bytes=32 * GIB)


@dataclass(frozen=True, slots=True)
class JoinerSettings:
    """How labels are joined. Milliseconds are event time, seconds are wall-clock time."""

    horizon_ms: int = 48 * HOUR_MS
    """How long a prediction waits for its label; a label that arrives afterwards is late."""
    out_of_orderness_ms: int = HOUR_MS
    """How far the records of one input may be out of order, as after the pause of a writer. It is
    added to the horizon; for labels that arrive later, increase the horizon instead."""
    max_orphans: int = 100_000
    """Labels that wait for their prediction, per partition. Beyond this, the oldest is given up
    early: it is `orphan` in the unjoined topic, with the detail that it was evicted."""
    max_orphan_bytes: int = 64 * 1024 * 1024
    """Estimated memory of these labels, per partition."""
    max_entries: int | None = None
    """Rows that are kept in all, per partition: waiting, joined and given up. Beyond this, the
    oldest is dropped early, as `orphan` or `missing` if it was waiting. By default 20,000,000 on
    disk, and 2,000,000 in memory."""
    max_entry_bytes: int | None = None
    """Estimated size of these rows in memory, per partition; files are smaller. By default 32 GiB
    on disk, and 1 GiB in memory."""
    partitions: int = 4
    """Partitions of the predictions, labels, feedback, unjoined and changelog topics."""
    replication: int = 1
    """Replication factor of the changelog topic, used when the topic is created."""
    forward_labels: bool = True
    """Whether a label that arrives in another partition than its prediction is sent there. For this
    the joiner writes the topic of labels; without the permission, it joins only what arrives in the
    right partition."""
    instance_id: str | None = None
    """This process's static group instance id, the same after a restart. With an id, a joiner
    that was killed is replaced at once; without one, after its session timeout of 10 s."""
    max_records: int = 1000
    """Maximum number of records in one poll."""
    idle_seconds: float = 10.0
    """An input that was read to its end for this long no longer holds the watermark back."""
    idle_rate: float = 0.0
    """Event milliseconds per wall-clock millisecond by which the watermark advances while both
    inputs are idle. With 0, event time stops with the stream; with 1, it follows the clock."""
    timer_interval_seconds: float = 1.0
    """Interval at which entries are expired and metrics are published."""
    stall_timeout: float = 60.0
    """Seconds without progress while records wait, after which the process exits with code 75."""
    data_dir: Path = Path(".modstream/joiner")
    """Folder of the joiner's files: the rows it keeps, a copy of its changelog topic. Without them
    it reads that topic again."""
    store: Literal["disk", "memory"] = "disk"
    """Where rows are kept until their horizon has passed: in files in the home directory, or in
    memory. With `memory` the joiner needs about 2 KB for each row, and each start reads all of
    them from Kafka; choose it where no disk can be written."""

    @property
    def limits(self) -> EntryLimits:
        """How much is kept of one partition."""
        default = LIMITS_ON_DISK if self.store == "disk" else EntryLimits()
        return EntryLimits(
            self.max_orphans,
            self.max_orphan_bytes,
            default.max_entries if self.max_entries is None else self.max_entries,
            default.max_entry_bytes if self.max_entry_bytes is None else self.max_entry_bytes,
        )
