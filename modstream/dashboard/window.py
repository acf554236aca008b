"""Counts by time in bounded memory: intervals of a fixed length within a history. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

BUCKET_MS = 10_000
"""Length of the intervals in which records are counted."""
HISTORY_MS = 6 * 3_600_000
"""How far back records are counted."""
MAX_BUCKETS = HISTORY_MS // BUCKET_MS


def history_start(now: int, step: int = BUCKET_MS) -> int:
    """Return the beginning of the history at `now` (ms): that of its oldest interval."""
    return now // step * step - HISTORY_MS


@dataclass(slots=True)
class BucketCounts:
    """Counts by interval of `step` ms; those of intervals before the history are forgotten.

    Records may be added in any order. A client may have chosen a time in the future: it is kept
    until it comes, if it is no further away than the history is long.
    """

    step: int = BUCKET_MS
    _counts: dict[int, int] = field(default_factory=dict)

    def add(self, at: int) -> None:
        """Count a record of time `at` (ms)."""
        bucket = at // self.step
        self._counts[bucket] = self._counts.get(bucket, 0) + 1

    def forget_before(self, start: int) -> None:
        """Forget the intervals before `start` (ms)."""
        first = start // self.step
        if any(bucket < first for bucket in self._counts):
            self._counts = {b: count for b, count in self._counts.items() if b >= first}

    def values(self, start: int, end: int) -> Iterator[int]:
        """Yield the counts of all intervals from `start` to before `end`, multiples of the step."""
        counts = self._counts
        return (counts.get(b, 0) for b in range(start // self.step, end // self.step))

    def total(self, start: int, end: int) -> int:
        """Return the number of records in all intervals from `start` to before `end`."""
        first, stop = start // self.step, end // self.step
        return sum(count for bucket, count in self._counts.items() if first <= bucket < stop)

    def sum(self) -> int:
        """Return the number of records in all intervals that are not forgotten."""
        return sum(self._counts.values())

    def newest(self) -> int:
        """Return the newest interval that has a record; -1 without one."""
        return max(self._counts, default=-1)
