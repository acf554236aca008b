"""Adaptive batch sizes: as many records as can be handled within a time limit."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from modstream.broker.loop.ports import BatchStats

FORGETTING_FACTOR = 0.9
"""Weight of a batch relative to the next one of equal size: half of it is left after 7 batches."""
MIN_SIZE_CV = 0.05
"""Minimum coefficient of variation of batch sizes. Below it, the cost per row and the cost per
batch cannot be separated."""
MIN_ROW_SHARE = 0.01
"""Rows per record below which a model is forgotten."""


@dataclass(slots=True)
class LinearCost:
    """The seconds that n rows take at once, `a * n + b`, fitted to the latest batches.

    Least squares with exponential forgetting (Ljung, System Identification, 1999, section 11.2);
    `a` and `b` are not negative. While all batches have about the same size, `b` is 0: a positive
    intercept cannot be estimated, and the fit then never predicts more than `a * n`.
    """

    weight: float = 0.0
    rows: float = 0.0
    seconds: float = 0.0
    squares: float = 0.0
    products: float = 0.0
    row_share: float = 0.0
    """Rows per record of the latest batches."""

    def add(self, rows: int, seconds: float) -> None:
        """Add one batch to the fit."""
        self.weight = FORGETTING_FACTOR * self.weight + 1
        self.rows = FORGETTING_FACTOR * self.rows + rows
        self.seconds = FORGETTING_FACTOR * self.seconds + seconds
        self.squares = FORGETTING_FACTOR * self.squares + rows * rows
        self.products = FORGETTING_FACTOR * self.products + rows * seconds

    def line(self) -> tuple[float, float]:
        """Return the seconds per row, and the seconds per batch."""
        size, time = self.rows / self.weight, self.seconds / self.weight
        variance = self.squares / self.weight - size * size
        if variance <= (MIN_SIZE_CV * size) ** 2:
            return time / size, 0.0
        slope = (self.products / self.weight - size * time) / variance
        slope = min(max(slope, 0.0), time / size)
        return slope, time - slope * size


@dataclass(slots=True)
class AdaptiveBatchSize:
    """The maximum size of the next batch, learned from the previous ones.

    Without a backlog a batch is what has arrived, and this bound has no effect. Under a backlog the
    size may double per batch, up to `max_records`, as long as handling is expected to take less
    than `max_seconds`. The expectation sums each model's own cost, in the mix of the latest
    batches, and the overhead of the batch. So the first batches of an unknown model are small, and
    a slow model always gets small ones. A fixed cost per batch above half of `max_seconds` gets the
    same time again for rows, so that it is not paid for each row.
    """

    max_records: int = 10_000
    max_seconds: float = 0.1
    size: int = 256
    overhead: LinearCost = field(default_factory=LinearCost)
    models: dict[str, LinearCost] = field(default_factory=dict)

    def observe(self, batch: BatchStats) -> None:
        """Update the fits with a handled batch, and set the size of the next one."""
        rows: defaultdict[str, int] = defaultdict(int)
        seconds: defaultdict[str, float] = defaultdict(float)
        for one in batch.costs:
            rows[one.model] += one.rows
            seconds[one.model] += one.seconds
        self.overhead.add(batch.records, max(0.0, batch.handling_seconds - sum(seconds.values())))
        shares = {model: count / batch.records for model, count in rows.items() if count}
        for model, share in shares.items():
            cost = self.models.setdefault(model, LinearCost(row_share=share))
            cost.add(rows[model], seconds[model])
        self._update_shares(shares)
        self.size = max(
            1, min(self.max_records, self._affordable(), max(self.size, 2 * batch.records))
        )

    def _update_shares(self, shares: Mapping[str, float]) -> None:
        for model, cost in list(self.models.items()):
            cost.row_share = (cost.row_share + shares.get(model, 0.0)) / 2
            if cost.row_share < MIN_ROW_SHARE:
                del self.models[model]

    def _affordable(self) -> int:
        per_record, per_batch = self.overhead.line()
        for cost in self.models.values():
            slope, intercept = cost.line()
            per_record, per_batch = per_record + cost.row_share * slope, per_batch + intercept
        if per_record <= 0:
            return self.max_records
        return int(max(self.max_seconds - per_batch, per_batch) / per_record)
