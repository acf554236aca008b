"""Access to the registry by the settings, and waiting for a model to be published."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

import structlog

from modstream.models.errors import ModelLoading
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import LEARNING_RUNTIMES
from modstream.models.schema.card import ModelCard
from modstream.name_hints import nearest_names, suggest_names
from modstream.registry.backups import backup_folder
from modstream.registry.trust import load_signing_key, load_trust
from modstream.settings import Settings

T = TypeVar("T")


def open_registry(settings: Settings) -> Registry:
    """Open the registry with the key that signs the versions this process publishes."""
    registry_settings = RegistrySettings(
        prefix=f"{settings.prefix}modstream", backup_dir=backup_folder(settings)
    )
    key, trust = load_signing_key(settings), load_trust(settings)
    return Registry(settings.redis_url, registry_settings, key, trust)


def newest_learning_version(registry: Registry, name: str) -> ModelCard | None:
    """Return the newest version that can learn; versions trained in batch are skipped.

    If no version can learn, return the newest one, for an error message; None before the first.
    """
    newest = registry.newest(name)
    if newest is None or newest.runtime in LEARNING_RUNTIMES:
        return newest
    older = reversed(registry.versions(name))
    return next((card for card in older if card.runtime in LEARNING_RUNTIMES), newest)


def suggest_model(registry: Registry, name: str) -> dict[str, str]:
    """Return a hint for the log if a published model is called almost like a missing one."""
    try:
        names = registry.names()
    except RegistryUnavailable:
        return {}
    near = [] if name in names else nearest_names(name, names)
    return {"hint": suggest_names(name, near)} if near else {}


def wait_for_model(
    registry: Registry, stop: Event, name: str, find: Callable[[], T | None]
) -> T | None:
    """Call `find` until it returns a result, or until `stop` is set; then return None.

    Each new reason to wait is logged once.
    """
    logged = ""
    with registry.subscribe() as changes:
        while not stop.is_set():
            try:
                if (found := find()) is not None:
                    return found
                cause: Exception = ModelNotFound(name, "newest")
            except (ModelLoading, ModelNotFound, RegistryUnavailable) as error:
                cause = error
            if type(cause).__name__ != logged:
                logged = type(cause).__name__
                hint = suggest_model(registry, name) if type(cause) is ModelNotFound else {}
                structlog.get_logger(__name__).info(
                    "waiting for model", model=name, cause=str(cause), **hint
                )
            changes.wait_for(name, 0.5)
    return None
