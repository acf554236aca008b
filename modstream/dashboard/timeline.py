"""The publications, promotions and rollbacks of models, from the topic of model events. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from modstream.audit.names import MAX_LEARNERS, NameTable
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import DecisionEvidence, ModelEvent
from modstream.broker.wire.records import Record
from modstream.dashboard.snapshots import Scalar, TimelineEntry
from modstream.dashboard.texts import cut

MAX_ENTRIES = 100
"""Number of the newest entries of one model that are kept."""
MAX_REASON = 500
"""Number of characters of a reason that are kept."""


@dataclass(slots=True)
class Timelines:
    """A fold over model events, in any order; each model keeps its newest `MAX_ENTRIES`.

    `count` is the number of events so far.
    """

    models: NameTable = field(default_factory=lambda: NameTable(limit=MAX_LEARNERS))
    count: int = 0
    _entries: dict[str, list[tuple[tuple[int, int], TimelineEntry]]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add a model event; a tombstone is ignored.

        Raises:
            DecodeError: the record violates its contract.
        """
        if record.value is None:
            return
        event = decode(ModelEvent, record.value)
        self.count += 1
        entries = self._entries.setdefault(self.models[event.model], [])
        entries.append(((record.timestamp, record.offset), timeline_entry(record, event)))
        entries.sort(key=lambda one: one[0], reverse=True)
        del entries[MAX_ENTRIES:]

    def names(self) -> set[str]:
        """Return the models that have entries."""
        return set(self._entries)

    def entries(self, model: str) -> tuple[TimelineEntry, ...]:
        """Return the entries of a model, newest first."""
        return tuple(entry for _, entry in self._entries.get(model, ()))


def timeline_entry(record: Record, event: ModelEvent) -> TimelineEntry:
    """Return a model event as an entry; its time is that of its record.

    The event's own `at` is not used: for a promotion it is when the version was published.
    """
    return TimelineEntry(
        at=record.timestamp,
        event_time=event.event_time,
        action=event.action,
        version=event.version,
        alias=event.alias,
        parent=event.parent,
        rows_learned=event.rows_learned,
        reason=cut(event.reason, MAX_REASON),
        evidence={} if event.decision is None else evidence_facts(event.decision),
        position=record.position,
        user=cut(event.user or ""),
    )


def evidence_facts(evidence: DecisionEvidence) -> Mapping[str, Scalar]:
    """Return the facts of a gate's evidence by name, without those that are unknown."""
    return {
        name: cut(value) if isinstance(value, str) else value
        for name, value in evidence.model_dump().items()
        if value is not None and not (isinstance(value, float) and not isfinite(value))
    }
