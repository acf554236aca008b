"""What happens to models, told on the model-events topic."""

from collections.abc import Mapping
from time import time
from typing import Literal

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ModelEvent, Weighed
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.models.schema.card import ModelCard
from modstream.processors.promote.decision import Decision
from modstream.settings import Settings

Action = Literal["publish", "promote", "rollback"]


def model_event(
    topics: Topics,
    card: ModelCard,
    action: Action,
    *,
    alias: str | None = None,
    learned_from: Mapping[str, int] | None = None,
    evidence: str = "",
) -> Outgoing:
    """The record that tells of a version.

    The topic is compacted: versions are kept under a key of their own, of an alias's moves the
    newest. Repeating an event does no harm.

    Args:
        topics: whose topic it goes to.
        card: the version that was published, or that the alias points at now.
        action: what happened.
        alias: the alias that moved, if one did.
        learned_from: the next offsets of the parent, where this version's own share began.
        evidence: why.
    """
    key = f"{card.name}/{card.version}" if action == "publish" else f"{card.name}@{alias}"
    event = ModelEvent(
        model=card.name,
        version=card.version,
        action=action,
        alias=alias,
        sha256=card.sha256,
        parent=card.parent,
        at=int(card.created.timestamp() * 1000),
        event_time=int(card.metrics["event_time"]) if "event_time" in card.metrics else None,
        learned=int(card.metrics.get("learned", 0)),
        learned_from=dict(learned_from or {}),
        offsets=card.offsets,
        evidence=evidence,
    )
    return Outgoing(topics.model_events, key.encode(), encode(event))


def decision_event(
    topics: Topics, card: ModelCard, decision: Decision, event_time: int
) -> Outgoing:
    """The record of what a gate decided, and by what; kept under a key of its own.

    Args:
        topics: whose topic it goes to.
        card: the version that serves from now on.
        decision: what was decided.
        event_time: of the newest label that was weighed, ms.
    """
    event = ModelEvent(
        model=card.name,
        version=card.version,
        action=decision.action,
        alias="champion",
        sha256=card.sha256,
        at=int(time() * 1000),
        event_time=event_time,
        evidence=decision.because,
        weighed=Weighed(
            member=decision.member,
            former=decision.former,
            window=decision.window,
            count=decision.count,
            former_loss=decision.champion_loss,
            member_loss=decision.member_loss,
            bound=decision.bound,
            alpha=decision.alpha,
            error_before=decision.error_before,
            error_after=decision.error_after,
            doubt=decision.doubt,
            calm=decision.calm,
        ),
    )
    key = f"{card.name}@champion/{card.version}/{event_time}"
    return Outgoing(topics.model_events, key.encode(), encode(event))


def tell(
    settings: Settings, card: ModelCard, action: Action, alias: str | None, evidence: str = ""
) -> None:
    """Say on the model-events topic what happened."""
    with Publisher(settings.connection, "modstream-models") as publisher:
        topics = settings.topics()
        publisher.send(model_event(topics, card, action, alias=alias, evidence=evidence))
        publisher.flush()
