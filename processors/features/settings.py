"""Settings of stream features; this module imports no other of modstream."""

from dataclasses import dataclass
from typing import Literal

MAX_IN_MEMORY = 3_000_000
MAX_ON_DISK = 100_000_000


@dataclass(frozen=True, slots=True)
class StreamFeatureSettings:
    """How the features of a stream are kept, and how soon their definitions are noticed."""

    lateness_minutes: float = 60.0
    """Minutes of event time by which a request may be late and still read its whole windows. What
    no such request can read is removed."""
    refresh_seconds: float = 2.0
    """Seconds after which workers and the aggregator look for new definitions."""
    ready_seconds: float = 60.0
    """Seconds for which a starting worker waits for the stream's features; then it answers with
    what it has read of them."""

    store: Literal["memory", "disk"] = "memory"
    """Where the aggregator and each worker keep the features' partial aggregates: in memory, about
    0.3 KB each and 0.5 KB for each group, or in files in the home directory. Choose `disk` for
    groups with many values, such as users."""
    max_partials: int | None = None
    """Partial aggregates of a stream from which the aggregator ends with an error instead of
    counting on. By default 3,000,000 in memory, 2.4 GB if each is of another group, and 100,000,000
    on disk."""

    @property
    def partials_limit(self) -> int:
        """The maximum number of partial aggregates of a stream."""
        if self.max_partials is not None:
            return self.max_partials
        return MAX_ON_DISK if self.store == "disk" else MAX_IN_MEMORY

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.lateness_minutes < 0:
            raise ValueError("lateness_minutes is not negative")
        if self.refresh_seconds <= 0 or self.ready_seconds <= 0:
            raise ValueError("the seconds are positive numbers")
        if self.max_partials is not None and self.max_partials < 1:
            raise ValueError("max_partials is a positive number")
