"""The last moments of a running stream, in bounded memory and little time per record."""

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from threading import Lock

import numpy as np

from modstream.audit.lenient_messages import Joined, as_number, number_in
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR, decode
from modstream.broker.wire.contracts import ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.evaluation.metrics import auc

SOURCE = re.compile(rb'"partition":(\d+),"offset":(\d+)\}\}$')
"""The source of a prediction, which our codec writes last: read without decoding the rest."""
SECONDS_KEPT = 60
UNKNOWN = b"?/0"
DECISIONS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Window:
    """What counts as recent: `seconds` for rates and latency, `labels` for AUC.

    Latency is measured on every `sample`-th request of each partition, by the answer of the
    route's first model; at most `pending` of them are waited for at a time.
    """

    seconds: int = 5
    labels: int = 5000
    sample: int = 8
    pending: int = 20_000


@dataclass(frozen=True, slots=True)
class Glance:
    """A running stream at one moment; rates per second, latency in ms, NaN where nothing is known.

    `auc` is over the window's labels, `versions` are those that answered last, `swaps` counts
    versions that took over, `history` holds requests per second of the last minute. `decided` are
    the newest decisions of the gate, oldest first.
    """

    requests: int
    request_rate: float
    history: tuple[int, ...]
    answers: Mapping[str, int]
    errors: int
    dead_letters: int
    p50: float
    p99: float
    labels: int
    joined: int
    set_aside: int
    auc: Mapping[str, float]
    versions: Mapping[str, int]
    swaps: Mapping[str, int]
    decided: tuple[ModelEvent, ...] = ()


@dataclass(slots=True)
class Answering:
    """One model: its answers, the versions seen, the newest of its labelled answers."""

    scored: deque[tuple[float, float]]
    answers: int = 0
    version: int = 0
    versions: set[int] = field(default_factory=set)


class Recent:
    """Folds records as they come; one thread adds while another looks."""

    def __init__(
        self, topics: Topics, route: tuple[str, ...], window: Window | None = None
    ) -> None:
        self.route = route
        self.window = window or Window()
        self._topics = topics
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._errors = 0
        self._seconds: Counter[int] = Counter()
        self._halves: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._latencies: deque[tuple[int, int]] = deque(maxlen=self.window.pending)
        self._models: dict[str, Answering] = {}
        self._answering: dict[bytes, tuple[Answering, int]] = {}
        self._decided: deque[ModelEvent] = deque(maxlen=DECISIONS_KEPT)

    def add(self, records: Sequence[Record]) -> None:
        """Take a batch; a record that cannot be read is counted and passed over."""
        topics = self._topics
        with self._lock:
            for record in records:
                self._counts[record.topic] += 1
                if record.topic == topics.requests:
                    self._request(record)
                elif record.topic == topics.predictions:
                    self._answer(record)
                elif record.topic == topics.feedback:
                    self._feedback(record)
                elif record.topic == topics.model_events:
                    self._event(record)

    def glance(self, now: float) -> Glance:
        """The stream as it is `now` (seconds since the epoch)."""
        with self._lock:
            scored = {name: list(model.scored) for name, model in self._models.items()}
        scores = {name: _auc(pairs) for name, pairs in scored.items()}
        with self._lock:
            return self._glance(int(now), scores)

    def _glance(self, now: int, scores: Mapping[str, float]) -> Glance:
        topics, counts, window = self._topics, self._counts, self.window.seconds
        recent = [self._seconds[second] for second in range(now - window, now)]
        horizon = (now - window) * 1000
        latencies = [taken for at, taken in self._latencies if at >= horizon]
        p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (nan, nan)
        return Glance(
            requests=counts[topics.requests],
            request_rate=sum(recent) / window,
            history=tuple(self._seconds[second] for second in range(now - SECONDS_KEPT, now)),
            answers={name: model.answers for name, model in self._models.items()},
            errors=self._errors,
            dead_letters=counts[topics.dlq],
            p50=float(p50),
            p99=float(p99),
            labels=counts[topics.labels],
            joined=counts[topics.feedback],
            set_aside=counts[topics.unjoined],
            auc=scores,
            versions={name: model.version for name, model in self._models.items()},
            swaps={name: max(len(m.versions) - 1, 0) for name, m in self._models.items()},
            decided=tuple(self._decided),
        )

    def _request(self, record: Record) -> None:
        second = record.timestamp // 1000
        self._seconds[second] += 1
        if len(self._seconds) > 2 * SECONDS_KEPT:
            kept = (item for item in self._seconds.items() if item[0] >= second - SECONDS_KEPT)
            self._seconds = Counter(dict(kept))
        self._meet(record.partition, record.offset, record.timestamp)

    def _meet(self, partition: int, offset: int, at: int) -> None:
        """Pair a sampled request with its answer, whichever of the two is read first."""
        if offset % self.window.sample:
            return
        other = self._halves.pop((partition, offset), None)
        if other is not None:
            self._latencies.append((max(at, other), abs(at - other)))
            return
        self._halves[partition, offset] = at
        if len(self._halves) > self.window.pending:
            self._halves.popitem(last=False)

    def _answer(self, record: Record) -> None:
        if record.header(Header.KIND) == ERROR:
            self._errors += 1
            return
        model, version = self._who(record.header(Header.MODEL) or UNKNOWN)
        model.answers += 1
        if version != model.version:
            model.version = version
            model.versions.add(version)
        found = SOURCE.search(record.value or b"")
        if found is not None and model is self._models.get(self.route[0]):
            self._meet(int(found[1]), int(found[2]), record.timestamp)

    def _feedback(self, record: Record) -> None:
        try:
            joined = decode(Joined, record.value)
        except DecodeError:
            return
        if joined.revises is not None:
            return
        truth = as_number(joined.label)
        for scored in joined.predictions:
            value = number_in(scored.outputs)
            if truth in (0, 1) and 0 <= value <= 1:
                self._model(scored.model).scored.append((truth, value))

    def _event(self, record: Record) -> None:
        try:
            event = decode(ModelEvent, record.value)
        except DecodeError:
            return
        if event.weighed is not None and event.model in self.route:
            self._decided.append(event)

    def _who(self, name: bytes) -> tuple[Answering, int]:
        """The model and version that a header names, remembered by its bytes."""
        known = self._answering.get(name)
        if known is None:
            model, _, version = name.decode(errors="replace").rpartition("/")
            number = int(version) if version.isdecimal() else 0
            known = self._answering[name] = (self._model(model), number)
        return known

    def _model(self, name: str) -> Answering:
        if name not in self._models:
            self._models[name] = Answering(deque(maxlen=self.window.labels))
        return self._models[name]


def _auc(pairs: list[tuple[float, float]]) -> float:
    found = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return auc(found[:, 0], found[:, 1])
