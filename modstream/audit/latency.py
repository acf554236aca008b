"""How fast it went: latency and throughput by the records' own timestamps, and lag."""

from dataclasses import dataclass

import numpy as np

from modstream.audit.columns import Ints
from modstream.audit.stream_audit import Ledger

MOST_BINS = 240
CURVE = (0, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99)
"""Percentiles of the curve; the maximum follows as the hundredth."""


@dataclass(frozen=True, slots=True)
class Latency:
    """One model's latency in ms: append of the answer less the request's timestamp.

    `curve` has (percentile, ms); `times` are seconds since the first request, `p50_over_time`
    and `p99_over_time` belong to the stretches that begin there.
    """

    model: str
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float
    curve: tuple[tuple[float, float], ...]
    times: tuple[float, ...]
    p50_over_time: tuple[float, ...]
    p99_over_time: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Records per second, by whole stretches that begin at `times` (seconds since the first).

    `seconds` reach from the first request to the last answer, `mean` and `peak` are requests
    per second over all of it and in the fastest stretch.
    """

    seconds: float
    mean: float
    peak: float
    times: tuple[float, ...]
    requests: tuple[float, ...]
    answers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lag:
    """Records by role that waited for it, `at` seconds after the first request."""

    at: float
    waiting: dict[str, float]


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed as the topics show it."""

    latency: tuple[Latency, ...]
    throughput: Throughput
    lag: tuple[Lag, ...]


def pace(ledger: Ledger) -> Pace:
    """Measure latency, throughput and lag."""
    size = len(ledger.requests.rows)
    seen = ledger.requests.seen.ints(size) > 0
    sent = ledger.requests.sent_at.ints(size)
    began = int(sent[seen].min()) if seen.any() else 0
    answered = {}
    for model in ledger.route:
        answers = ledger.answers[model]
        rows = np.flatnonzero(seen & (answers.count.ints(size) > 0))
        answered[model] = (sent[rows], answers.at.ints(size)[rows])
    everything = np.concatenate([sent[seen], *(at for _, at in answered.values())])
    ended = int(everything.max()) if len(everything) else 0
    width = max(1, -(-(ended - began) // (1000 * MOST_BINS))) * 1000
    return Pace(
        tuple(_latency(m, *times, began, width) for m, times in answered.items() if len(times[0])),
        _throughput(sent[seen], answered, (began, ended), width),
        tuple(
            Lag((metrics.event_time - began) / 1000, metrics.values)
            for metrics in ledger.lag
            if metrics.event_time is not None
        ),
    )


def _latency(model: str, sent: Ints, at: Ints, began: int, width: int) -> Latency:
    taken = (at - sent).astype(np.float64)
    order = np.argsort(at, kind="stable")
    numbers, starts = np.unique((at[order] - began) // width, return_index=True)
    parts = np.split(taken[order], starts[1:])
    p50, p90, p99, p99_9, most = np.percentile(taken, (50, 90, 99, 99.9, 100)).tolist()
    curve = zip((*CURVE, 100), np.percentile(taken, (*CURVE, 100)).tolist(), strict=True)
    return Latency(
        *(model, p50, p90, p99, p99_9, most),
        curve=tuple(curve),
        times=tuple((numbers * width / 1000).tolist()),
        p50_over_time=tuple(float(np.percentile(part, 50)) for part in parts),
        p99_over_time=tuple(float(np.percentile(part, 99)) for part in parts),
    )


def _throughput(
    sent: Ints, answered: dict[str, tuple[Ints, Ints]], span: tuple[int, int], width: int
) -> Throughput:
    began, ended = span
    seconds = (ended - began) / 1000
    edges = began + width * np.arange(max((ended - began) // width, 1) + 1)
    requests = np.histogram(sent, edges)[0] * 1000 / width
    answers = [np.histogram(at, edges)[0] for _, at in answered.values()]
    return Throughput(
        seconds=seconds,
        mean=len(sent) / seconds if seconds else 0.0,
        peak=float(requests.max()),
        times=tuple(((edges[:-1] - began) / 1000).tolist()),
        requests=tuple(requests.tolist()),
        answers=tuple((np.sum(answers, axis=0) * 1000 / width).tolist()),
    )
