"""Rates and latencies of a stream, and the answers of each version, by interval. Pure.

All figures depend on the records only, not on the order in which they are added, as long as no
limit is reached: after a restart they are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from modstream.audit.names import OTHERS, NameTable
from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.dashboard.latency import LatencyBuckets, LatencyMatcher, quantiles
from modstream.dashboard.snapshots import StreamSeries, StreamTotals
from modstream.dashboard.window import (
    BUCKET_MS,
    HISTORY_MS,
    BucketCounts,
    history_start,
)
from modstream.live.responses import ResponseModel, find_source, parse_model_header

MINUTE_MS = 60_000
"""Length of the intervals in which the answers of a version are counted."""
MAX_VERSIONS = 300
"""Number of versions, of all models together, whose answers are counted; the one that has not
answered for longest is forgotten."""
MAX_HEADERS = 10_000
"""Number of model headers that are remembered; they are forgotten all at once beyond it."""
UNKNOWN_MODEL = b"?/0"
SHARES = (0.5, 0.95, 0.99)


@dataclass(slots=True)
class RecordCounts:
    """Counts of records by kind and interval."""

    requests: BucketCounts = field(default_factory=BucketCounts)
    answers: BucketCounts = field(default_factory=BucketCounts)
    refusals: BucketCounts = field(default_factory=BucketCounts)
    dead_letters: BucketCounts = field(default_factory=BucketCounts)
    labels: BucketCounts = field(default_factory=BucketCounts)

    @property
    def all(self) -> tuple[BucketCounts, ...]:
        """All counts."""
        return self.requests, self.answers, self.refusals, self.dead_letters, self.labels


class StreamCounts:
    """Counts requests, answers, refusals, dead letters and labels, and measures latencies."""

    def __init__(self, topics: Topics, models: NameTable, sample_every: int = 1) -> None:
        self._topics = topics
        self._models = models
        self._counts = RecordCounts()
        self._matcher = LatencyMatcher(sample_every)
        self._latencies = LatencyBuckets()
        self._versions: dict[ResponseModel, BucketCounts] = {}
        self._headers: dict[bytes, ResponseModel] = {}
        self._start = 0
        self._end = 0
        self.left_out = 0

    def sample(self, every: int) -> None:
        """Measure the latency of requests whose offset is a multiple of `every` only."""
        self._matcher.sample_every = every

    def begin(self, now: int) -> None:
        """Count records of the history at `now` (ms), and of as long a time after it."""
        start = history_start(now)
        if start == self._start:
            return
        self._start, self._end = start, now + HISTORY_MS
        self._latencies.forget_before(start)
        for counts in (*self._counts.all, *self._versions.values()):
            counts.forget_before(start)

    def add(self, records: Sequence[Record]) -> None:
        """Add records of the topics of requests, predictions, dead letters and labels."""
        topics = self._topics
        for record in records:
            topic = record.topic
            if topic == topics.requests:
                self._add_request(record)
            elif topic == topics.predictions:
                self._add_response(record)
            elif topic == topics.dlq:
                self._count(self._counts.dead_letters, record.timestamp)
            elif topic == topics.labels and record.header(Header.FORWARDED_FROM) is None:
                self._count(self._counts.labels, record.timestamp)

    def add_earlier(self, records: Sequence[Record]) -> None:
        """Add requests from before the history, for the latency of answers within it."""
        for record in records:
            if record.topic == self._topics.requests:
                found = self._matcher.add_request(record.partition, record.offset, record.timestamp)
                self._add_latency(found)

    def series(self, now: int, seconds: int, max_points: int) -> StreamSeries:
        """Return the series of the last `seconds` at `now` (ms), in at most `max_points`."""
        step, start, end = intervals(now, seconds, max_points)
        merge = step // BUCKET_MS
        histograms = self._latencies.merged(start, end, step)
        p50, p95, p99 = (quantiles(histograms, share) for share in SHARES)
        return StreamSeries(
            start=start,
            step=step,
            requests=rates(self._counts.requests, start, end, merge),
            answers=rates(self._counts.answers, start, end, merge),
            refusals=rates(self._counts.refusals, start, end, merge),
            dead_letters=rates(self._counts.dead_letters, start, end, merge),
            labels=rates(self._counts.labels, start, end, merge),
            p50=p50,
            p95=p95,
            p99=p99,
        )

    def totals(self, start: int, now: int) -> StreamTotals:
        """Return the totals from `start`, a multiple of the interval, until `now` (ms)."""
        end = (now // BUCKET_MS + 1) * BUCKET_MS
        histograms = self._latencies.merged(start, end, end - start)
        p50, p95, p99 = (quantiles(histograms, share)[0] for share in SHARES)
        return StreamTotals(
            requests=self._counts.requests.total(start, end),
            answers=self._counts.answers.total(start, end),
            refusals=self._counts.refusals.total(start, end),
            dead_letters=self._counts.dead_letters.total(start, end),
            labels=self._counts.labels.total(start, end),
            p50=p50,
            p95=p95,
            p99=p99,
        )

    def rate(self, model: str, version: int | None, now: int) -> float:
        """Return the answers per second of a model or version in the last whole minute."""
        end = now // MINUTE_MS * MINUTE_MS
        return self._answers(model, version, end - MINUTE_MS, end) / (MINUTE_MS / 1000)

    def answers(self, model: str, version: int | None, now: int) -> int:
        """Return the number of answers of a model or version within the history."""
        return self._answers(model, version, history_start(now, MINUTE_MS), now + MINUTE_MS)

    def versions(self) -> tuple[ResponseModel, ...]:
        """Return the models and versions that have answered."""
        return tuple(self._versions)

    def _answers(self, model: str, version: int | None, start: int, end: int) -> int:
        return sum(
            counts.total(start, end)
            for found, counts in self._versions.items()
            if found.name == model and version in {None, found.version}
        )

    def _count(self, counts: BucketCounts, at: int) -> bool:
        """Count a record of time `at` if that is within the history, and return whether it is."""
        if self._start <= at <= self._end:
            counts.add(at)
            return True
        self.left_out += 1
        return False

    def _add_request(self, record: Record) -> None:
        self._count(self._counts.requests, record.timestamp)
        found = self._matcher.add_request(record.partition, record.offset, record.timestamp)
        self._add_latency(found)

    def _add_response(self, record: Record) -> None:
        source = find_source(record.value)
        if record.header(Header.KIND) == KIND_ERROR:
            self._count(self._counts.refusals, record.timestamp)
            if source is not None:
                self._matcher.drop(*source)
            return
        if self._count(self._counts.answers, record.timestamp):
            self._version_counts(record.header(Header.MODEL) or UNKNOWN_MODEL).add(record.timestamp)
        if source is not None:
            self._add_latency(self._matcher.add_answer(*source, record.timestamp))

    def _add_latency(self, found: tuple[int, int] | None) -> None:
        if found is not None and self._start <= found[0] <= self._end:
            self._latencies.add(*found)

    def _version_counts(self, header: bytes) -> BucketCounts:
        """Return the counts of the model and version in a header value."""
        model = self._headers.get(header)
        if model is None:
            found = parse_model_header(header)
            if len(self._headers) == MAX_HEADERS:
                self._headers.clear()
            name = self._models[found.name]
            version = 0 if name == OTHERS else found.version
            model = self._headers[header] = ResponseModel(name, version)
        counts = self._versions.get(model)
        if counts is None:
            if len(self._versions) == MAX_VERSIONS:
                del self._versions[min(self._versions, key=lambda m: self._versions[m].newest())]
            counts = self._versions[model] = BucketCounts(MINUTE_MS)
        return counts


def rates(counts: BucketCounts, start: int, end: int, merge: int) -> tuple[float, ...]:
    """Return records per second for each `merge` intervals from `start` to before `end` (ms)."""
    values, seconds = list(counts.values(start, end)), merge * BUCKET_MS / 1000
    return tuple(
        round(sum(values[i : i + merge]) / seconds, 3) for i in range(0, len(values), merge)
    )


def intervals(now: int, seconds: int, max_points: int) -> tuple[int, int, int]:
    """Return step, start and end (ms) of at most `max_points` intervals before `now`.

    Start and end are multiples of the step, so that an interval covers the same time in each view.
    """
    wanted = min(max(seconds * 1000, BUCKET_MS), HISTORY_MS)
    step = -(-wanted // max(max_points, 1) // BUCKET_MS) * BUCKET_MS
    end = now // step * step
    count = wanted // step
    first = -(-history_start(now) // step) * step
    return step, max(end - count * step, first), end
