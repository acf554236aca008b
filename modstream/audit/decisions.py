"""The promotions and rollbacks that promotion gates decided, with their evidence."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from modstream.audit.event_tables import MAX_DECISIONS
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import DecisionEvidence, ModelEvent
from modstream.broker.wire.topics import Topics


@dataclass(frozen=True, slots=True)
class GateDecision:
    """One decision of a promotion gate.

    `decided_at` is wall time and `event_time` that of the newest label, both in ms since the
    epoch.
    """

    model: str
    version: int
    action: str
    decided_at: int
    event_time: int
    reason: str
    evidence: DecisionEvidence


def gate_decisions(events: Iterable[ModelEvent]) -> tuple[GateDecision, ...]:
    """Return the decisions among model events, oldest first, without duplicate events."""
    found = {
        (event.model, event.event_time, event.version): _decision(event, event.decision)
        for event in events
        if event.decision is not None
    }
    return tuple(
        sorted(found.values(), key=lambda decision: (decision.decided_at, decision.event_time))
    )


def read_gate_decisions(
    connection: Connection, topics: Topics, model: str
) -> tuple[GateDecision, ...]:
    """Read the newest decisions about one model from the topic of model events.

    Raises:
        TopicMissing: the topic does not exist.
        BrokerError: reading failed.
    """
    events: deque[ModelEvent] = deque(maxlen=MAX_DECISIONS)
    for record in read_to_end(connection, [topics.model_events]):
        # Another program may write to the topic as well.
        with suppress(DecodeError):
            event = decode(ModelEvent, record.value)
            if event.model == model and event.decision is not None:
                events.append(event)
    return gate_decisions(events)


def _decision(event: ModelEvent, evidence: DecisionEvidence) -> GateDecision:
    return GateDecision(
        model=event.model,
        version=event.version,
        action=event.action,
        decided_at=event.at,
        event_time=event.event_time or 0,
        reason=event.reason,
        evidence=evidence,
    )
