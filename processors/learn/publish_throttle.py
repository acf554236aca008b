"""A throttle for publishing: a minimum interval, and a maximum share of the time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """How often a learner publishes versions."""

    min_interval_seconds: float = 0.25
    """Minimum time between two versions, in seconds."""
    max_time_share: float = 0.1
    """Maximum share of the time that publishing may take."""


@dataclass(slots=True)
class PublishThrottle:
    """Spaces out publishing by its cost: a model that is slow to publish is published rarely."""

    settings: PublishSettings
    clock: Callable[[], float] = monotonic
    _due: float = field(default=0.0)

    def is_due(self) -> bool:
        """Return whether enough time has passed since the last version."""
        return self.clock() >= self._due

    def record_cost(self, cost_seconds: float) -> None:
        """Record that an attempt to publish has just ended, successful or not, and its duration."""
        self._due = self.clock() + max(
            self.settings.min_interval_seconds, cost_seconds / self.settings.max_time_share
        )
