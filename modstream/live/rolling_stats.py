"""Statistics of a running stream over the last seconds, in bounded memory."""

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from threading import Lock

import numpy as np

from modstream.audit.lenient_messages import LenientFeedback, numeric_output, to_number
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, decode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.evaluation.metrics import auc

SOURCE_PATTERN = re.compile(rb'"partition":(\d+),"offset":(\d+)\}\}$')
"""Matches the source position, which the codec writes last, without decoding the rest."""
HISTORY_SECONDS = 60
UNKNOWN_MODEL = b"?/0"
MAX_DECISIONS = 3


@dataclass(frozen=True, slots=True)
class StatsWindow:
    """The window of the statistics: `seconds` for rates and latency, `labels` for AUC.

    Latency is measured on every `sample_every`-th request of each partition, by the response of
    the route's first model; at most `max_pending` of these requests are waited for at a time.
    """

    seconds: int = 5
    labels: int = 5000
    sample_every: int = 8
    max_pending: int = 20_000


@dataclass(frozen=True, slots=True)
class LiveSnapshot:
    """The statistics at one moment: rates per second, latency in ms, NaN for unknown values.

    `auc` covers the window's labels. `versions` are the newest that responded, `swaps` counts the
    changes to a new version, and `history` has the requests per second of the last minute.
    `decisions` are the newest ones of the promotion gate, oldest first.
    """

    requests: int
    request_rate: float
    history: tuple[int, ...]
    predictions: Mapping[str, int]
    errors: int
    dead_letters: int
    p50: float
    p99: float
    labels: int
    joined: int
    unjoined: int
    auc: Mapping[str, float]
    versions: Mapping[str, int]
    swaps: Mapping[str, int]
    decisions: tuple[ModelEvent, ...] = ()


@dataclass(slots=True)
class ModelStats:
    """One model's predictions, the versions seen, and its newest pairs of label and prediction."""

    scored: deque[tuple[float, float]]
    predictions: int = 0
    version: int = 0
    versions: set[int] = field(default_factory=set)


class RollingStats:
    """Rolling statistics of a stream; one thread may add records while another takes snapshots."""

    def __init__(
        self, topics: Topics, route: tuple[str, ...], window: StatsWindow | None = None
    ) -> None:
        self.route = route
        self.window = window or StatsWindow()
        self._topics = topics
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._errors = 0
        self._requests_per_second: Counter[int] = Counter()
        self._unmatched: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._latencies: deque[tuple[int, int]] = deque(maxlen=self.window.max_pending)
        self._models: dict[str, ModelStats] = {}
        self._model_by_header: dict[bytes, tuple[ModelStats, int]] = {}
        self._decisions: deque[ModelEvent] = deque(maxlen=MAX_DECISIONS)

    def add(self, records: Sequence[Record]) -> None:
        """Add a batch of records; an unreadable record is only counted."""
        topics = self._topics
        with self._lock:
            for record in records:
                self._counts[record.topic] += 1
                if record.topic == topics.requests:
                    self._add_request(record)
                elif record.topic == topics.predictions:
                    self._add_response(record)
                elif record.topic == topics.feedback:
                    self._add_feedback(record)
                elif record.topic == topics.model_events:
                    self._add_event(record)

    def snapshot(self, now: float) -> LiveSnapshot:
        """Return the statistics at `now` (seconds since the epoch)."""
        with self._lock:
            scored = {name: list(model.scored) for name, model in self._models.items()}
        scores = {name: _auc(pairs) for name, pairs in scored.items()}
        with self._lock:
            return self._snapshot(int(now), scores)

    def _snapshot(self, now: int, scores: Mapping[str, float]) -> LiveSnapshot:
        topics, counts, window = self._topics, self._counts, self.window.seconds
        counts_in_window = [
            self._requests_per_second[second] for second in range(now - window, now)
        ]
        horizon = (now - window) * 1000
        latencies = [taken for at, taken in self._latencies if at >= horizon]
        p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (nan, nan)
        return LiveSnapshot(
            requests=counts[topics.requests],
            request_rate=sum(counts_in_window) / window,
            history=tuple(
                self._requests_per_second[second] for second in range(now - HISTORY_SECONDS, now)
            ),
            predictions={name: model.predictions for name, model in self._models.items()},
            errors=self._errors,
            dead_letters=counts[topics.dlq],
            p50=float(p50),
            p99=float(p99),
            labels=counts[topics.labels],
            joined=counts[topics.feedback],
            unjoined=counts[topics.unjoined],
            auc=scores,
            versions={name: model.version for name, model in self._models.items()},
            swaps={name: max(len(m.versions) - 1, 0) for name, m in self._models.items()},
            decisions=tuple(self._decisions),
        )

    def _add_request(self, record: Record) -> None:
        second = record.timestamp // 1000
        self._requests_per_second[second] += 1
        if len(self._requests_per_second) > 2 * HISTORY_SECONDS:
            kept = (
                item
                for item in self._requests_per_second.items()
                if item[0] >= second - HISTORY_SECONDS
            )
            self._requests_per_second = Counter(dict(kept))
        self._match(record.partition, record.offset, record.timestamp)

    def _match(self, partition: int, offset: int, at: int) -> None:
        """Match a sampled request with its response, in either order, and note the latency."""
        if offset % self.window.sample_every:
            return
        other = self._unmatched.pop((partition, offset), None)
        if other is not None:
            self._latencies.append((max(at, other), abs(at - other)))
            return
        self._unmatched[partition, offset] = at
        if len(self._unmatched) > self.window.max_pending:
            self._unmatched.popitem(last=False)

    def _add_response(self, record: Record) -> None:
        if record.header(Header.KIND) == KIND_ERROR:
            self._errors += 1
            return
        model, version = self._model_and_version(record.header(Header.MODEL) or UNKNOWN_MODEL)
        model.predictions += 1
        if version != model.version:
            model.version = version
            model.versions.add(version)
        found = SOURCE_PATTERN.search(record.value or b"")
        if found is not None and model is self._models.get(self.route[0]):
            self._match(int(found[1]), int(found[2]), record.timestamp)

    def _add_feedback(self, record: Record) -> None:
        try:
            joined = decode(LenientFeedback, record.value)
        except DecodeError:
            return
        if joined.revises is not None:
            return
        label = to_number(joined.label)
        for scored in joined.predictions:
            value = numeric_output(scored.outputs)
            if label in (0, 1) and 0 <= value <= 1:
                self._model(scored.model).scored.append((label, value))

    def _add_event(self, record: Record) -> None:
        try:
            event = decode(ModelEvent, record.value)
        except DecodeError:
            return
        if event.decision is not None and event.model in self.route:
            self._decisions.append(event)

    def _model_and_version(self, name: bytes) -> tuple[ModelStats, int]:
        """Return the model and version in a header value, from a cache by its bytes."""
        known = self._model_by_header.get(name)
        if known is None:
            model, _, version = name.decode(errors="replace").rpartition("/")
            number = int(version) if version.isdecimal() else 0
            known = self._model_by_header[name] = (self._model(model), number)
        return known

    def _model(self, name: str) -> ModelStats:
        if name not in self._models:
            self._models[name] = ModelStats(deque(maxlen=self.window.labels))
        return self._models[name]


def _auc(pairs: list[tuple[float, float]]) -> float:
    found = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return auc(found[:, 0], found[:, 1])
