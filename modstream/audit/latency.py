"""Latency and throughput from the timestamps of the records, and lag from samples."""

from dataclasses import dataclass

import numpy as np

from modstream.audit.stream_audit import StreamAudit
from modstream.models.evaluation.arrays import IntArray

MAX_BINS = 240
CURVE_PERCENTILES = (0, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99)
"""Percentiles of the latency curve; the maximum is added as the 100th."""


@dataclass(frozen=True, slots=True)
class ModelLatency:
    """One model's latency in ms: time of the response's append minus the request's timestamp.

    `curve` has pairs of percentile and ms. `times` are the starts of time bins, in seconds since
    the first request; `p50_over_time` and `p99_over_time` are the percentiles within each bin.
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
    """Records per second, in time bins that start at `times` (seconds since the first request).

    `seconds` is the time from the first request to the last response. `mean` and `peak` are
    requests per second over the whole run and in the fastest bin.
    """

    seconds: float
    mean: float
    peak: float
    times: tuple[float, ...]
    requests: tuple[float, ...]
    responses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LagSample:
    """The lag in records, by service, at `seconds` after the first request."""

    seconds: float
    records: dict[str, float]


@dataclass(frozen=True, slots=True)
class Performance:
    """The latency, throughput and lag of a stream."""

    latency: tuple[ModelLatency, ...]
    throughput: Throughput
    lag: tuple[LagSample, ...]


def measure_performance(audit: StreamAudit) -> Performance:
    """Compute the latency, throughput and lag of a stream."""
    size = len(audit.requests.rows)
    seen = audit.requests.is_seen.int_array(size) > 0
    sent = audit.requests.sent_at.int_array(size)
    start = int(sent[seen].min()) if seen.any() else 0
    times_by_model = {}
    for model in audit.route:
        responses = audit.responses[model]
        rows = np.flatnonzero(seen & (responses.predictions.int_array(size) > 0))
        times_by_model[model] = (sent[rows], responses.appended_at.int_array(size)[rows])
    all_times = np.concatenate([sent[seen], *(appended for _, appended in times_by_model.values())])
    end = int(all_times.max()) if len(all_times) else 0
    width = max(1, -(-(end - start) // (1000 * MAX_BINS))) * 1000
    return Performance(
        tuple(
            _latency(m, *times, start, width)
            for m, times in times_by_model.items()
            if len(times[0])
        ),
        _throughput(sent[seen], times_by_model, (start, end), width),
        tuple(
            LagSample((time - start) / 1000, waiting)
            for time, waiting in audit.events.lag
            if audit.scope is None or start <= time <= end
        ),
    )


def _latency(
    model: str, sent: IntArray, appended: IntArray, start: int, width: int
) -> ModelLatency:
    latencies = (appended - sent).astype(np.float64)
    order = np.argsort(appended, kind="stable")
    bins, starts = np.unique((appended[order] - start) // width, return_index=True)
    parts = np.split(latencies[order], starts[1:])
    p50, p90, p99, p99_9, longest = np.percentile(latencies, (50, 90, 99, 99.9, 100)).tolist()
    curve = zip(
        (*CURVE_PERCENTILES, 100),
        np.percentile(latencies, (*CURVE_PERCENTILES, 100)).tolist(),
        strict=True,
    )
    return ModelLatency(
        *(model, p50, p90, p99, p99_9, longest),
        curve=tuple(curve),
        times=tuple((bins * width / 1000).tolist()),
        p50_over_time=tuple(float(np.percentile(part, 50)) for part in parts),
        p99_over_time=tuple(float(np.percentile(part, 99)) for part in parts),
    )


def _throughput(
    sent: IntArray,
    times_by_model: dict[str, tuple[IntArray, IntArray]],
    time_range: tuple[int, int],
    width: int,
) -> Throughput:
    start, end = time_range
    seconds = (end - start) / 1000
    edges = start + width * np.arange(max((end - start) // width, 1) + 1)
    requests = np.histogram(sent, edges)[0] * 1000 / width
    responses = [np.histogram(appended, edges)[0] for _, appended in times_by_model.values()]
    return Throughput(
        seconds=seconds,
        mean=len(sent) / seconds if seconds else 0.0,
        peak=float(requests.max()),
        times=tuple(((edges[:-1] - start) / 1000).tolist()),
        requests=tuple(requests.tolist()),
        responses=tuple((np.sum(responses, axis=0) * 1000 / width).tolist()),
    )
