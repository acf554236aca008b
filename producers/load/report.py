"""The report of a load run: latencies from intended send times, and every request's exit."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

MICROSECONDS_PER_SECOND = 1_000_000
MAX_LATENCY_US = 3600 * MICROSECONDS_PER_SECOND
SIGNIFICANT_DIGITS = 3

PREDICTION = "prediction"
DEAD_LETTER = "dead_letter"
NO_RESPONSE = "nothing"
ERROR_PREFIX = "error:"


@dataclass(frozen=True, slots=True)
class LatencyPercentiles:
    """Latency percentiles in ms, from the intended send time to the arrival of the response."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float

    @classmethod
    def from_seconds(cls, seconds: npt.NDArray[np.float64]) -> Self | None:
        """Compute the percentiles of latencies in seconds; return None if there are no latencies.

        They come from an HDR histogram with three significant digits.

        Source: https://hdrhistogram.github.io/HdrHistogram/.
        """
        if not len(seconds):
            return None
        histogram = HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS)
        latencies_us = np.clip(seconds * MICROSECONDS_PER_SECOND, 1, MAX_LATENCY_US)
        values, counts = np.unique(latencies_us.astype(np.int64), return_counts=True)
        for value, count in zip(values, counts, strict=True):
            histogram.record_value(int(value), int(count))
        value_at = histogram.get_value_at_percentile
        p50, p90, p99, p99_9 = (value_at(percentile) / 1000 for percentile in (50, 90, 99, 99.9))
        return cls(p50, p90, p99, p99_9, histogram.get_max_value() / 1000)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The counts and latencies of a load run.

    Attributes:
        planned: requests in the schedule, good and bad.
        sent: good requests that were sent.
        answered: good requests with a prediction or an error.
        errors: good requests with an error, by its code.
        unanswered: good requests that were sent and not answered.
        dead_letters: unanswered good requests that are in the dead-letter topic.
        extra_responses: further responses to a request, from other models of the route or
            duplicates.
        late_sends: requests that the generator itself sent late.
        max_send_delay_ms: the longest delay of a send after its intended time.
        seconds: time from the start of the run to the last response.
        throughput: answered requests per second.
        latency_ms: percentiles of the answered requests, None without any.
        bad: bad records by kind and exit; exits are `error:<code>`, `dead_letter`, `prediction`
            and `nothing`.
    """

    planned: int
    sent: int
    answered: int
    errors: Mapping[str, int]
    unanswered: int
    dead_letters: int
    extra_responses: int
    late_sends: int
    max_send_delay_ms: float
    seconds: float
    throughput: float
    latency_ms: LatencyPercentiles | None
    bad: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary of JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """The raw observations of a run with n requests.

    Attributes:
        due_times: intended send times, shape (n,).
        sent_times: actual send times, shape (n,), NaN for requests that were not sent.
        arrival_times: arrival times of the first responses, shape (n,), NaN without a response.
        bad_kinds: for each request the kind of bad record, None for a good request.
        exits: exits other than a prediction, by the number of the request.
        extra_responses: further responses to requests that had one.

    Times are in seconds from the start of the run.
    """

    due_times: npt.NDArray[np.float64]
    sent_times: npt.NDArray[np.float64]
    arrival_times: npt.NDArray[np.float64]
    bad_kinds: list[str | None]
    exits: Mapping[int, str]
    extra_responses: int

    def exit_of(self, number: int) -> str:
        """Return the exit of one request."""
        default = NO_RESPONSE if np.isnan(self.arrival_times[number]) else PREDICTION
        return self.exits.get(number, default)


def summarize(observed: Observations, late_after: float) -> LoadReport:
    """Count all requests; a send later than `late_after` seconds after its due time is late."""
    is_good = np.array([kind is None for kind in observed.bad_kinds], dtype=np.bool_)
    was_sent = ~np.isnan(observed.sent_times)
    answered = is_good & was_sent & ~np.isnan(observed.arrival_times)
    send_delays = (observed.sent_times - observed.due_times)[was_sent]
    latencies = (observed.arrival_times - observed.due_times)[answered]
    sent, count = int((is_good & was_sent).sum()), int(answered.sum())
    exits = _exits_of_good(observed)
    seconds = float(observed.arrival_times[answered].max(initial=0.0))
    return LoadReport(
        planned=len(observed.due_times),
        sent=sent,
        answered=count,
        errors={
            exit_.removeprefix(ERROR_PREFIX): n
            for exit_, n in exits.items()
            if exit_.startswith(ERROR_PREFIX)
        },
        unanswered=sent - count,
        dead_letters=exits[DEAD_LETTER],
        extra_responses=observed.extra_responses,
        late_sends=int((send_delays > late_after).sum()),
        max_send_delay_ms=1000 * float(send_delays.max(initial=0.0)),
        seconds=seconds,
        throughput=count / seconds if seconds else 0.0,
        latency_ms=LatencyPercentiles.from_seconds(latencies),
        bad=_exits_of_bad(observed, was_sent),
    )


def _exits_of_good(observed: Observations) -> Counter[str]:
    return Counter(exit_ for n, exit_ in observed.exits.items() if observed.bad_kinds[n] is None)


def _exits_of_bad(
    observed: Observations, was_sent: npt.NDArray[np.bool_]
) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for number, kind in enumerate(observed.bad_kinds):
        if kind is not None and was_sent[number]:
            counts.setdefault(kind, Counter())[observed.exit_of(number)] += 1
    return {kind: dict(exits) for kind, exits in sorted(counts.items())}
