"""What a load run found: latencies from intended send times, and every request accounted for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

MICROSECONDS = 1_000_000
LONGEST = 3600 * MICROSECONDS
DIGITS = 3

PREDICTION = "prediction"
DEAD_LETTER = "dead_letter"
NOTHING = "nothing"
ERROR = "error:"


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in ms, from the intended send time to the arrival of the answer."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float

    @classmethod
    def of(cls, seconds: npt.NDArray[np.float64]) -> Self | None:
        """Percentiles of some latencies by an HDR histogram of three digits; None of none.

        Source: https://hdrhistogram.github.io/HdrHistogram/.
        """
        if not len(seconds):
            return None
        histogram = HdrHistogram(1, LONGEST, DIGITS)
        whole = np.clip(seconds * MICROSECONDS, 1, LONGEST).astype(np.int64)
        for value, times in zip(*np.unique(whole, return_counts=True), strict=True):
            histogram.record_value(int(value), int(times))
        at = histogram.get_value_at_percentile
        p50, p90, p99, p99_9 = (at(percentile) / 1000 for percentile in (50, 90, 99, 99.9))
        return cls(p50, p90, p99, p99_9, histogram.get_max_value() / 1000)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Every request of a run by what became of it; only `late_sends` are the generator's fault.

    `sent` counts good requests, `answered` those with a prediction or an error (`errors` by
    code), `dead_letters` those among the unanswered that lie in the dead-letter topic,
    `repeated` further answers to one request (other models of the route, or duplicates).
    `seconds` reach from the start to the last answer, `throughput` is answers per second.
    `bad` counts bad records by kind and by way out: `error:<code>`, `dead_letter`,
    `prediction`, or `nothing`.
    """

    planned: int
    sent: int
    answered: int
    errors: Mapping[str, int]
    unanswered: int
    dead_letters: int
    repeated: int
    late_sends: int
    most_late_ms: float
    seconds: float
    throughput: float
    latency_ms: Latency | None
    bad: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The raw observations of a run, times in seconds from its start, NaN where nothing was.

    `due`, `sent` and `arrived` have shape (n,); `kinds` names the bad record of an entry, None
    a good one; `ways_out` says by entry what became of it, where that is not a prediction.
    """

    due: npt.NDArray[np.float64]
    sent: npt.NDArray[np.float64]
    arrived: npt.NDArray[np.float64]
    kinds: list[str | None]
    ways_out: Mapping[int, str]
    repeated: int

    def way_out(self, number: int) -> str:
        """What became of one entry."""
        by_default = NOTHING if np.isnan(self.arrived[number]) else PREDICTION
        return self.ways_out.get(number, by_default)


def summarized(observed: Observed, late_after: float) -> LoadReport:
    """Account for every request; a send is late that left `late_after` seconds behind its due."""
    is_good = np.array([kind is None for kind in observed.kinds], dtype=np.bool_)
    was_sent = ~np.isnan(observed.sent)
    answered = is_good & was_sent & ~np.isnan(observed.arrived)
    behind = (observed.sent - observed.due)[was_sent]
    sent, count = int((is_good & was_sent).sum()), int(answered.sum())
    ways = _ways_of_good(observed)
    seconds = float(observed.arrived[answered].max(initial=0.0))
    return LoadReport(
        planned=len(observed.due),
        sent=sent,
        answered=count,
        errors={way.removeprefix(ERROR): n for way, n in ways.items() if way.startswith(ERROR)},
        unanswered=sent - count,
        dead_letters=ways[DEAD_LETTER],
        repeated=observed.repeated,
        late_sends=int((behind > late_after).sum()),
        most_late_ms=1000 * float(behind.max(initial=0.0)),
        seconds=seconds,
        throughput=count / seconds if seconds else 0.0,
        latency_ms=Latency.of((observed.arrived - observed.due)[answered]),
        bad=_ways_of_bad(observed, was_sent),
    )


def _ways_of_good(observed: Observed) -> Counter[str]:
    return Counter(way for n, way in observed.ways_out.items() if observed.kinds[n] is None)


def _ways_of_bad(observed: Observed, was_sent: npt.NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    tally: dict[str, Counter[str]] = {}
    for number, kind in enumerate(observed.kinds):
        if kind is not None and was_sent[number]:
            tally.setdefault(kind, Counter())[observed.way_out(number)] += 1
    return {kind: dict(ways) for kind, ways in sorted(tally.items())}
