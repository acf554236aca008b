"""How many records a batch may have: as many as can be handled in the time there is."""

from collections.abc import Callable
from dataclasses import dataclass, field

MEMORY = 0.9
"""What a batch still weighs when the next one is noted, as large as it: half is forgotten in 7."""
ALIKE = 0.05
"""Batches whose sizes vary less than this, relative to their mean, tell a line's slope from noise
only, not from its start."""
GONE = 0.01
"""Rows a record below which a model is forgotten."""

Took = Callable[[str, int, float], None]
"""Told of a model, how many rows it was given at once, and the seconds that they took."""


def untold(_model: str, _rows: int, _seconds: float) -> None:
    """Nobody wants to know how long it took."""


@dataclass(slots=True)
class Cost:
    """The seconds that n rows at once take: `a * n + b`, fitted to the latest batches.

    Least squares with exponential forgetting (Ljung, System Identification, 1999, section 11.2);
    neither is negative. While all batches are about as large, `b` is taken for 0: nothing else can
    be said, and nothing larger than `a * n` is promised.
    """

    weight: float = 0.0
    rows: float = 0.0
    seconds: float = 0.0
    squares: float = 0.0
    products: float = 0.0
    share: float = 0.0
    """Rows a record of the polled batches, lately."""

    def note(self, rows: int, seconds: float) -> None:
        """Learn from one batch."""
        self.weight = MEMORY * self.weight + 1
        self.rows = MEMORY * self.rows + rows
        self.seconds = MEMORY * self.seconds + seconds
        self.squares = MEMORY * self.squares + rows * rows
        self.products = MEMORY * self.products + rows * seconds

    def line(self) -> tuple[float, float]:
        """Seconds a row, and seconds a batch."""
        size, time = self.rows / self.weight, self.seconds / self.weight
        variance = self.squares / self.weight - size * size
        if variance <= (ALIKE * size) ** 2:
            return time / size, 0.0
        slope = (self.products / self.weight - size * time) / variance
        slope = min(max(slope, 0.0), time / size)
        return slope, time - slope * size


@dataclass(slots=True)
class Pace:
    """A bound on the next batch, learned from the last ones.

    How small a batch is while there is little to do needs no rule: it is what has come. Under a
    backlog it may grow twofold a turn, up to `most`, as long as its handling is expected to take
    less than `seconds`: by each model's own cost, in the mix that came lately, and by what the
    batch costs besides. So the first batches of a model that nobody knows are small, and a slow
    model gets small ones for ever. What costs more than half of `seconds` a batch, whatever its
    size, is given as much time again for rows, so that it does not pay that for each of them.
    """

    most: int = 10_000
    seconds: float = 0.1
    size: int = 256
    besides: Cost = field(default_factory=Cost)
    models: dict[str, Cost] = field(default_factory=dict)
    _turn: dict[str, tuple[int, float]] = field(default_factory=dict)

    def note(self, model: str, rows: int, seconds: float) -> None:
        """Note what a model took of the batch that is being handled."""
        known, spent = self._turn.get(model, (0, 0.0))
        self._turn[model] = known + rows, spent + seconds

    def took(self, records: int, seconds: float) -> None:
        """Note how long a whole batch took, and bound the next one."""
        turn, self._turn = {m: told for m, told in self._turn.items() if told[0]}, {}
        self.besides.note(records, max(0.0, seconds - sum(spent for _, spent in turn.values())))
        for model, (rows, spent) in turn.items():
            cost = self.models.get(model)
            if cost is None:
                cost = self.models[model] = Cost(share=rows / records)
            cost.note(rows, spent)
        self._mix({model: rows / records for model, (rows, _) in turn.items()})
        self.size = max(1, min(self.most, self._affordable(), max(self.size, 2 * records)))

    def _mix(self, seen: dict[str, float]) -> None:
        for model, cost in list(self.models.items()):
            cost.share = (cost.share + seen.get(model, 0.0)) / 2
            if cost.share < GONE:
                del self.models[model]

    def _affordable(self) -> int:
        a, b = self.besides.line()
        for cost in self.models.values():
            slope, start = cost.line()
            a, b = a + cost.share * slope, b + start
        return int(max(self.seconds - b, b) / a) if a > 0 else self.most
