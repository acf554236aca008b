"""How many records a batch may have: as many as can be handled in the time there is."""

from dataclasses import dataclass

FORGETTING = 0.5
"""Of the slowest rate seen, this much is believed a turn later: one stutter is no slow model."""


@dataclass(slots=True)
class Pace:
    """A bound on the next batch, learned from the last ones.

    How small a batch is while there is little to do needs no rule: it is what has come. Under a
    backlog it may grow twofold a turn, up to `most`, as long as its handling is expected to take
    less than `seconds`, judged by the slowest rate that was seen lately. So the first batches
    of a model that nobody knows are small, and a slow model gets small ones for ever.
    """

    most: int = 10_000
    seconds: float = 0.5
    size: int = 256
    slowest: float = 0.0
    """Seconds a record."""

    def took(self, records: int, seconds: float) -> None:
        """Note how long a batch took."""
        self.slowest = max(seconds / records, FORGETTING * self.slowest)
        affordable = int(self.seconds / self.slowest) if self.slowest > 0 else self.most
        grown = max(self.size, 2 * records)
        self.size = max(1, min(self.most, affordable, grown))
