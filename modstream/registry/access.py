"""The registry as the settings describe it, and waiting for what is not published yet."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeVar
from urllib.parse import quote

import structlog

from modstream.models.errors import ModelNotFound, RegistryUnavailable
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import LEARNING
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import SigningKey, Trust
from modstream.settings import Settings

T = TypeVar("T")


def open_registry(settings: Settings) -> Registry:
    """The registry, with the key that signs what this process publishes."""
    key = None if settings.signing_key is None else SigningKey.load(settings.signing_key)
    known = RegistrySettings(prefix=f"{settings.prefix}modstream", cellar=cellar(settings))
    return Registry(settings.redis, known, key)


def cellar(settings: Settings) -> Path:
    """Where copies of this installation's models are kept."""
    folder = settings.cellar or settings.home / "cellar"
    return folder / quote(f"{settings.prefix}modstream", safe="")


def trust(settings: Settings) -> Trust:
    """Whose models may be served."""
    return Trust(settings.trusted_keys)


def newest_that_learns(registry: Registry, name: str) -> ModelCard | None:
    """The version that a learner goes on from: challengers trained in one go are passed over.

    If none can learn, it is the newest, so that it can be named; None before the first.
    """
    newest = registry.newest(name)
    if newest is None or newest.runtime in LEARNING:
        return newest
    older = reversed(registry.versions(name))
    return next((card for card in older if card.runtime in LEARNING), newest)


def await_model(
    registry: Registry, stop: Event, name: str, look: Callable[[], T | None]
) -> T | None:
    """Look until the model is there; None once we shall stop. Says once what it waits for."""
    told = ""
    with registry.watch() as hints:
        while not stop.is_set():
            try:
                if (found := look()) is not None:
                    return found
                cause: Exception = ModelNotFound(name, "newest")
            except (ModelNotFound, RegistryUnavailable) as error:
                cause = error
            if type(cause).__name__ != told:
                told = type(cause).__name__
                structlog.get_logger(__name__).info("waiting", model=name, cause=str(cause))
            hints.wait(0.5)
    return None
