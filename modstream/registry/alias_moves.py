"""Promotions and rollbacks that a person asks for, by a command or in the dashboard."""

from dataclasses import dataclass

from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.registry.events import publish_event
from modstream.registry.publishing import try_published
from modstream.settings import Settings


@dataclass(frozen=True, slots=True)
class AliasChange:
    """What a person wants of an alias, with the reason and the person's name, if known.

    `expected` is the version that the alias pointed at when the person decided; None for any.
    """

    model: str
    alias: str = CHAMPION
    expected: int | None = None
    reason: str = ""
    user: str = ""


def promote(settings: Settings, registry: Registry, change: AliasChange, version: int) -> ModelCard:
    """Move an alias to a version once it has passed a trial in a process of its own; announce it.

    Raises:
        TrialFailed: a worker could not serve the version.
        RegistryError: there is no such version, its artifact was deleted, the alias points at
            another version than expected, or the registry is unavailable.
        BrokerError: the alias has moved, but its event could not be sent.
    """
    card = registry.card(change.model, version)
    try_published(registry, card, settings.model_cache.trial_limits)
    card = registry.promote(
        change.model,
        version,
        change.alias,
        expected=change.expected,
        reason=change.reason,
        user=change.user,
    )
    publish_event(settings, card, "promote", change.alias, change.reason, change.user)
    return card


def roll_back(settings: Settings, registry: Registry, change: AliasChange) -> ModelCard:
    """Move an alias back to its previous version, and announce it.

    Raises:
        RegistryError: there is no earlier version, its artifact was deleted, the alias points at
            another version than expected, or the registry is unavailable.
        BrokerError: the alias has moved, but its event could not be sent.
    """
    card = registry.rollback(
        change.model,
        change.alias,
        expected=change.expected,
        reason=change.reason,
        user=change.user,
    )
    publish_event(settings, card, "rollback", change.alias, change.reason, change.user)
    return card
