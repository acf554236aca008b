"""Statistics of a running stream over the last seconds, in bounded memory."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from threading import Lock

import numpy as np

from modstream.audit.lenient_messages import LenientFeedback, to_number
from modstream.audit.names import NameTable
from modstream.broker.loop.isolation import is_fault
from modstream.broker.wire.codec import KIND_ERROR, decode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.live.label_counts import LabelCounts
from modstream.live.responses import find_source, parse_model_header
from modstream.live.snapshot import LiveSnapshot, StatsWindow
from modstream.models.evaluation.metrics import auc
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.evaluate.scoring import score

HISTORY_SECONDS = 60
UNKNOWN_MODEL = b"?/0"
MAX_DECISIONS = 3
MAX_HEADERS = 10_000
"""Number of model headers that are remembered; they are forgotten all at once beyond it."""
MAX_JOINED = 1000
"""Number of predictions of one feedback record that are read."""


@dataclass(slots=True)
class ModelStats:
    """One model's predictions, and its newest pairs of label and prediction.

    `version` is the one that responded last, `highest_version` the highest so far, and
    `version_count` the number of times that there was a higher one.
    """

    scored: deque[tuple[float, float]]
    predictions: int = 0
    version: int = 0
    highest_version: int = 0
    version_count: int = 0


class RollingStats:
    """Rolling statistics of a stream; one thread may add records while another takes snapshots.

    `versions` has the classes of the versions; labels of unknown ones are not compared. Models
    beyond `names.MAX_MODELS` besides those of the route count as one.
    """

    def __init__(
        self,
        topics: Topics,
        route: tuple[str, ...],
        window: StatsWindow | None = None,
        versions: VersionClasses | None = None,
    ) -> None:
        self.route = route
        self._versions = versions or VersionClasses()
        self._names = NameTable(route)
        self.window = window or StatsWindow()
        self._topics = topics
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._labels = LabelCounts()
        self._errors = 0
        self._requests_per_second: OrderedDict[int, int] = OrderedDict()
        self._unmatched: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._latencies: deque[tuple[int, int]] = deque(maxlen=self.window.max_pending)
        self._models: dict[str, ModelStats] = {}
        self._model_by_header: dict[bytes, tuple[ModelStats, int]] = {}
        self._decisions: deque[ModelEvent] = deque(maxlen=MAX_DECISIONS)
        self._handlers: dict[str, Callable[[Record], None]] = {
            topics.requests: self._add_request,
            topics.predictions: self._add_response,
            topics.labels: self._labels.add_label,
            topics.feedback: self._add_feedback,
            topics.unjoined: self._labels.add_unjoined,
            topics.model_events: self._add_event,
        }

    def add(self, records: Sequence[Record]) -> None:
        """Add a batch of records; an unreadable record is only counted."""
        with self._lock:
            for record in records:
                self._counts[record.topic] += 1
                handle = self._handlers.get(record.topic)
                try:
                    if handle is not None:
                        handle(record)
                except BaseException as error:
                    if not is_fault(error):
                        raise

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
            self._requests_per_second.get(second, 0) for second in range(now - window, now)
        ]
        horizon = (now - window) * 1000
        latencies = [taken for at, taken in self._latencies if at >= horizon]
        p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (nan, nan)
        return LiveSnapshot(
            requests=counts[topics.requests],
            request_rate=sum(counts_in_window) / window,
            history=tuple(
                self._requests_per_second.get(second, 0)
                for second in range(now - HISTORY_SECONDS, now)
            ),
            predictions={name: model.predictions for name, model in self._models.items()},
            errors=self._errors,
            dead_letters=counts[topics.dlq],
            p50=float(p50),
            p99=float(p99),
            labels=self._labels.labels,
            joined=self._labels.joined,
            unjoined=self._labels.unjoined,
            missing=self._labels.missing,
            auc=scores,
            versions={name: model.version for name, model in self._models.items()},
            swaps={name: max(m.version_count - 1, 0) for name, m in self._models.items()},
            decisions=tuple(self._decisions),
        )

    def _add_request(self, record: Record) -> None:
        second = record.timestamp // 1000
        self._requests_per_second[second] = self._requests_per_second.get(second, 0) + 1
        # Clients choose the timestamps: the newest are not always the highest.
        self._requests_per_second.move_to_end(second)
        if len(self._requests_per_second) > 2 * HISTORY_SECONDS:
            self._requests_per_second.popitem(last=False)
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
        model.version = version
        if version > model.highest_version:
            model.highest_version = version
            model.version_count += 1
        source = find_source(record.value)
        if source is not None and model is self._first_model():
            self._match(*source, record.timestamp)

    def _add_feedback(self, record: Record) -> None:
        joined = decode(LenientFeedback, record.value)
        if not self._labels.add_feedback(record, joined):
            return
        for scored in joined.predictions[:MAX_JOINED]:
            version = self._versions.get(scored.model, scored.version)
            pair = None if version is None else score(version, joined.label, scored.outputs)
            if pair is not None and pair.task == "binary":
                numbers = float(pair.label), to_number(pair.prediction)
                self._model(scored.model).scored.append(numbers)

    def _add_event(self, record: Record) -> None:
        event = decode(ModelEvent, record.value)
        if event.decision is not None and event.model in self.route:
            self._decisions.append(event)

    def _model_and_version(self, name: bytes) -> tuple[ModelStats, int]:
        """Return the model and version in a header value, from a cache by its bytes."""
        known = self._model_by_header.get(name)
        if known is None:
            found = parse_model_header(name)
            if len(self._model_by_header) == MAX_HEADERS:
                self._model_by_header.clear()
            known = self._model_by_header[name] = (self._model(found.name), found.version)
        return known

    def _first_model(self) -> ModelStats | None:
        """Return the route's first model; the first that responded if none of the route has."""
        if any(name in self._models for name in self.route):
            return self._models.get(self.route[0])
        return next(iter(self._models.values()), None)

    def _model(self, name: str) -> ModelStats:
        name = self._names[name]
        if name not in self._models:
            self._models[name] = ModelStats(deque(maxlen=self.window.labels))
        return self._models[name]


def _auc(pairs: list[tuple[float, float]]) -> float:
    found = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return auc(found[:, 0], found[:, 1])
