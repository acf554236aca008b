"""Settings of the joiner."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HOUR_MS = 3600 * 1000


class EntryLimits(NamedTuple):
    """How much is kept of one partition; see the settings of the same names."""

    max_orphans: int = 100_000
    max_orphan_bytes: int = 64 * 1024 * 1024
    max_entries: int = 2_000_000
    max_entry_bytes: int = 1024 * 1024 * 1024


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
    max_entries: int = 2_000_000
    """Rows that are kept in all, per partition: waiting, joined and given up. Beyond this, the
    oldest is dropped early, as `orphan` or `missing` if it was waiting."""
    max_entry_bytes: int = 1024 * 1024 * 1024
    """Estimated size of these rows, per partition."""
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
    """Folder for Faust's own files. The join's state is in the changelog topic, not here."""

    @property
    def limits(self) -> EntryLimits:
        """How much is kept of one partition."""
        return EntryLimits(
            self.max_orphans, self.max_orphan_bytes, self.max_entries, self.max_entry_bytes
        )
