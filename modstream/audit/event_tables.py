"""The model events and the metrics of a stream, as far as its audit needs them."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from modstream.audit.candidates import CandidateTable
from modstream.audit.names import NameTable
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Record

MAX_EVENTS = 300_000
"""Number of model events that are kept; beyond it the oldest are dropped."""
MAX_DECISIONS = 10_000
"""Number of decisions of gates that are kept; beyond it the oldest are dropped."""
MAX_PARTITIONS = 1000
"""Number of partitions of an event's offsets that are read."""
MAX_LAG_SAMPLES = 20_000
"""Number of samples of the lag; whenever there are more, every second one is dropped."""
MAX_SERVICES = 10
MAX_LAG = 1e15
"""Largest lag in records that is shown."""
MAX_DELAYS = 1000
"""Number of buckets of the delays of labels that are read."""


@dataclass(frozen=True, slots=True)
class LearningEvent:
    """What the audit of learning needs of a model event; offsets of this stream's feedback only."""

    model: str
    version: int
    action: str
    parent: int | None
    rows_learned: int
    first_offsets: Mapping[str, int]
    offsets: Mapping[str, int]


@dataclass(slots=True)
class EventTables:
    """A fold over model events and metrics.

    Attributes:
        feedback: the stream's feedback topic.
        models: the names of models.
        events: what is needed of the newest events.
        dropped: the number of older events that were dropped.
        decisions: the newest events that are decisions of a gate.
        lag: samples of the lag: the time (ms) and the records that wait, by service.
        candidates: how good each candidate would have answered.
    """

    feedback: str
    models: NameTable
    events: deque[LearningEvent] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))
    dropped: int = 0
    decisions: deque[ModelEvent] = field(default_factory=lambda: deque(maxlen=MAX_DECISIONS))
    lag: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    candidates: CandidateTable = field(default_factory=CandidateTable)
    _delays: dict[frozenset[str], dict[int, int]] = field(default_factory=dict)

    @property
    def delays(self) -> dict[int, int]:
        """Labels by the upper bound of their delay (ms), of all joiners."""
        total: Counter[int] = Counter()
        for counts in self._delays.values():
            total.update(counts)
        return dict(total)

    def add_event(self, record: Record) -> None:
        """Add a model event."""
        event = decode(ModelEvent, record.value)
        self.dropped += len(self.events) == MAX_EVENTS
        self.events.append(
            LearningEvent(
                self.models[event.model],
                event.version,
                event.action,
                event.parent,
                event.rows_learned,
                self._own_offsets(event.first_offsets),
                self._own_offsets(event.offsets),
            )
        )
        if event.decision is not None:
            self.decisions.append(event)

    def add_metrics(self, record: Record) -> None:
        """Add metrics."""
        metrics = decode(Metrics, record.value)
        if metrics.kind == "lag" and metrics.event_time is not None:
            waiting = {
                name: min(max(count, 0.0), MAX_LAG)
                for name, count in list(metrics.values.items())[:MAX_SERVICES]
                if isfinite(count)
            }
            self.lag.append((metrics.event_time, waiting))
            if len(self.lag) > MAX_LAG_SAMPLES:
                del self.lag[::2]
        elif (metrics.kind, metrics.model, metrics.version) == ("label_delay", None, None):
            self._add_delays(metrics)
        elif metrics.kind == "candidates":
            self.candidates.add(metrics)

    def _add_delays(self, metrics: Metrics) -> None:
        """Keep the newest counts of each joiner: each counts the labels of its own partitions.

        Counts of the same partitions are older ones, from before a rebalance or a restart.
        """
        partitions = frozenset(list(metrics.offsets)[:MAX_PARTITIONS])
        others = {p: counts for p, counts in self._delays.items() if p.isdisjoint(partitions) and p}
        self._delays = {
            **dict(list(others.items())[-MAX_PARTITIONS:]),
            partitions: {
                int(bound): int(count)
                for bound, count in list(metrics.values.items())[:MAX_DELAYS]
                if bound.isdecimal() and len(bound) < 20 and isfinite(count)
            },
        }

    def _own_offsets(self, offsets: Mapping[str, int]) -> dict[str, int]:
        prefix = f"{self.feedback}:"
        own = [(name, offset) for name, offset in offsets.items() if name.startswith(prefix)]
        return dict(own[:MAX_PARTITIONS])
