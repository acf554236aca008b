"""Settings of stream features; this module imports no other of modstream."""

from dataclasses import dataclass


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

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.lateness_minutes < 0:
            raise ValueError("lateness_minutes is not negative")
        if self.refresh_seconds <= 0 or self.ready_seconds <= 0:
            raise ValueError("the seconds are positive numbers")
