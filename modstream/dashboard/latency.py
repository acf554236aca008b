"""Latencies of a stream: answers matched with their requests, in a histogram by interval. Pure.

A request and its answer are matched by the position of the request, which an answer states at its
end, so that no payload is decoded. They are matched in either order: a history is read backwards.
"""

from collections import OrderedDict
from math import ceil, log2

import numpy as np
import numpy.typing as npt

from modstream.dashboard.window import BUCKET_MS

BINS_PER_DOUBLING = 8
"""Bins between a latency and twice it: each is 9% wider than the one before, as in an exponential
histogram of scale 3
(https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram)."""
MAX_LATENCY_MS = 2**20
"""Longer latencies, about 17 minutes, count as this one."""
BINS = 2 + BINS_PER_DOUBLING * 20
"""Bin 0 has the latency 0, bin 1 + 8k up to 2^k ms."""
MAX_PENDING = 100_000
"""Number of requests, and of answers, that wait for their counterpart; the oldest is forgotten."""

Histograms = npt.NDArray[np.int64]
"""Counts of answers by bin: of shape (bins,), or (n, bins) for several histograms."""


class LatencyMatcher:
    """Matches answers with requests by partition and offset of the request.

    Only requests whose offset is a multiple of `sample_every` are matched. The first answer of a
    request counts; those of further models are ignored.
    """

    def __init__(self, sample_every: int = 1, max_pending: int = MAX_PENDING) -> None:
        self.sample_every = sample_every
        self._max_pending = max_pending
        self._requests: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._answers: OrderedDict[tuple[int, int], int] = OrderedDict()

    def add_request(self, partition: int, offset: int, at: int) -> tuple[int, int] | None:
        """Add a request; return the time of its answer and the latency in ms if it is known."""
        if offset % self.sample_every:
            return None
        answered = self._answers.pop((partition, offset), None)
        if answered is not None:
            return answered, max(0, answered - at)
        self._keep(self._requests, (partition, offset), at)
        return None

    def add_answer(self, partition: int, offset: int, at: int) -> tuple[int, int] | None:
        """Add the answer to a request; return its time and the latency in ms if it is known."""
        if offset % self.sample_every:
            return None
        asked = self._requests.pop((partition, offset), None)
        if asked is not None:
            return at, max(0, at - asked)
        self._keep(self._answers, (partition, offset), at)
        return None

    def drop(self, partition: int, offset: int) -> None:
        """Forget a request that was refused."""
        self._requests.pop((partition, offset), None)

    def _keep(
        self, waiting: OrderedDict[tuple[int, int], int], key: tuple[int, int], at: int
    ) -> None:
        if key in waiting:
            return
        waiting[key] = at
        if len(waiting) > self._max_pending:
            waiting.popitem(last=False)


class LatencyBuckets:
    """A histogram of latencies for each interval of the history."""

    def __init__(self) -> None:
        self._buckets: dict[int, Histograms] = {}

    def add(self, at: int, latency: int) -> None:
        """Add a latency (ms) of an answer at a time (ms)."""
        bucket = at // BUCKET_MS
        histogram = self._buckets.get(bucket)
        if histogram is None:
            histogram = self._buckets[bucket] = np.zeros(BINS, np.int64)
        histogram[bin_of(latency)] += 1

    def forget_before(self, start: int) -> None:
        """Forget the intervals before `start` (ms)."""
        first = start // BUCKET_MS
        for bucket in [b for b in self._buckets if b < first]:
            del self._buckets[bucket]

    def merged(self, start: int, end: int, step: int) -> Histograms:
        """Return a histogram for each `step` ms from `start` to before `end`, of shape (n, bins).

        All three are multiples of the interval, and the step divides the time.
        """
        first, merge = start // BUCKET_MS, step // BUCKET_MS
        total = np.zeros(((end - start) // step, BINS), np.int64)
        for bucket, histogram in self._buckets.items():
            row = (bucket - first) // merge
            if 0 <= row < len(total):
                total[row] += histogram
        return total


def bin_of(latency: int) -> int:
    """Return the bin of a latency (ms, at least 0)."""
    if latency <= 0:
        return 0
    return 1 + ceil(log2(min(latency, MAX_LATENCY_MS)) * BINS_PER_DOUBLING)


def upper_bound(number: int) -> float:
    """Return the largest latency (ms) of a bin."""
    return 0.0 if number == 0 else float(2 ** ((number - 1) / BINS_PER_DOUBLING))


def quantiles(histograms: Histograms, share: float) -> tuple[float | None, ...]:
    """Return, for each histogram, the bound in ms that a share of its answers do not exceed.

    A bound is at most 9% above the exact quantile. It is None without answers.
    """
    counts = histograms.cumsum(axis=1)
    totals = counts[:, -1]
    ranks = np.maximum(1, np.ceil(share * totals))
    bins = (counts >= ranks[:, np.newaxis]).argmax(axis=1)
    return tuple(
        round(upper_bound(int(number)), 1) if total else None
        for number, total in zip(bins, totals, strict=True)
    )
