"""Events of models on the topic model-events."""

from collections.abc import Mapping
from time import time
from typing import Literal

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.lineage.emitter import open_lineage
from modstream.lineage.runs import JobKind, change_run
from modstream.models.registry.refs import CHAMPION
from modstream.models.schema.card import ModelCard
from modstream.processors.promote.decision import Decision
from modstream.settings import Settings

EventAction = Literal["publish", "promote", "rollback"]


def model_event(  # noqa: PLR0913 - the facts of the event
    topics: Topics,
    card: ModelCard,
    action: EventAction,
    *,
    alias: str | None = None,
    first_offsets: Mapping[str, int] | None = None,
    reason: str = "",
    user: str = "",
) -> ProducerRecord:
    """Build the event of a version, or of an alias that moved to it.

    The topic is compacted: it keeps one event for each version, and the newest move of each alias.
    Events may be repeated.

    Args:
        topics: the stream's topics.
        card: the version that was published, or that the alias points to now.
        action: what happened.
        alias: the alias that moved, if any.
        first_offsets: the offsets from which this version learned beyond its parent.
        reason: why the event happened.
        user: the person who asked for it, empty if none did or the name is not known.
    """
    key = f"{card.name}/{card.version}" if action == "publish" else f"{card.name}@{alias}"
    at = card.created.timestamp() if action == "publish" else time()
    event = ModelEvent(
        model=card.name,
        version=card.version,
        action=action,
        alias=alias,
        sha256=card.sha256,
        parent=card.parent,
        at=int(at * 1000),
        event_time=int(card.metrics["event_time"]) if "event_time" in card.metrics else None,
        rows_learned=int(card.metrics.get("learned", 0)),
        first_offsets=dict(first_offsets or {}),
        offsets=card.offsets,
        reason=reason,
        user=user or None,
    )
    return ProducerRecord(topics.model_events, key.encode(), encode(event))


def decision_event(
    topics: Topics, card: ModelCard, decision: Decision, event_time: int
) -> ProducerRecord:
    """Build the event of a promotion gate's decision; each has its own key.

    Args:
        topics: the stream's topics.
        card: the version that is served from now on.
        decision: the gate's decision with its evidence.
        event_time: event time of the newest label in the evidence (ms since the epoch).
    """
    event = ModelEvent(
        model=card.name,
        version=card.version,
        action=decision.action,
        alias=CHAMPION,
        sha256=card.sha256,
        at=int(time() * 1000),
        event_time=event_time,
        reason=decision.reason,
        decision=decision.evidence,
    )
    key = f"{card.name}@{CHAMPION}/{card.version}/{event_time}"
    return ProducerRecord(topics.model_events, key.encode(), encode(event))


def publish_event(
    settings: Settings,
    card: ModelCard,
    action: EventAction,
    alias: str | None,
    reason: str = "",
    user: str = "",
) -> None:
    """Publish the event of a version, or of an alias that moved to it."""
    with Publisher(settings.connection, "modstream-models") as publisher:
        topics = settings.topics()
        publisher.send(model_event(topics, card, action, alias=alias, reason=reason, user=user))
        publisher.flush()
    with open_lineage(settings) as lineage:
        lineage.record(change_run(topics, card, JobKind(action), alias, reason=reason, user=user))
