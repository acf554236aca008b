"""What gates decided: who was promoted or rolled back, when, and by what evidence."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import ModelEvent
from modstream.broker.wire.topics import Topics


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a gate; `at` is wall time, `event_time` that of its newest label, both ms.

    The other fields are those of `modstream.broker.wire.contracts.Weighed`.
    """

    model: str
    version: int
    action: str
    at: int
    event_time: int
    member: str
    former: str
    window: int
    count: int
    former_loss: float
    member_loss: float
    bound: float
    alpha: float
    error_before: float | None
    error_after: float | None
    doubt: float | None
    calm: int | None
    because: str


def decisions(events: Iterable[ModelEvent]) -> tuple[Decision, ...]:
    """The decisions among events, oldest first; one that was told twice counts once."""
    found = {
        (event.model, event.event_time, event.version): _decision(event, event.weighed.model_dump())
        for event in events
        if event.weighed is not None
    }
    return tuple(sorted(found.values(), key=lambda one: (one.at, one.event_time)))


def told_of(connection: Connection, topics: Topics, model: str) -> tuple[Decision, ...]:
    """The decisions about one model that stand in the topic of model events.

    Raises:
        TopicMissing: the topic does not exist.
        BrokerError: reading failed.
    """
    records = read_to_end(connection, [topics.model_events])
    events = (decode(ModelEvent, record.value) for record in records)
    return decisions(event for event in events if event.model == model)


def _decision(event: ModelEvent, weighed: dict[str, Any]) -> Decision:
    facts = event.model_dump(include={"model", "version", "action", "at"})
    return Decision(**facts, **weighed, event_time=event.event_time or 0, because=event.evidence)
