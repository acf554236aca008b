"""How often a learner publishes: soon after it learned, but never for most of its time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True, slots=True)
class CadenceSettings:
    """`seconds` between two versions at least; publishing takes at most `share` of the time."""

    seconds: float = 0.25
    share: float = 0.1


@dataclass(slots=True)
class Cadence:
    """Follows what publishing costs: a model that takes long to dump is dumped seldom."""

    settings: CadenceSettings
    clock: Callable[[], float] = monotonic
    _due: float = field(default=0.0)

    def is_due(self) -> bool:
        """Whether enough time has passed since the last version."""
        return self.clock() >= self._due

    def published(self, cost: float) -> None:
        """A version has been published, or could not be; it took `cost` seconds."""
        self._due = self.clock() + max(self.settings.seconds, cost / self.settings.share)
