"""The registry as the settings describe it, and waiting for what is not published yet."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

import structlog

from models.errors import ModelNotFound, RegistryUnavailable
from models.link import RegistrySettings
from models.registry import Registry
from models.signing import SigningKey, Trust
from modstream.settings import Settings

T = TypeVar("T")


def open_registry(settings: Settings) -> Registry:
    """The registry, with the key that signs what this process publishes."""
    key = None if settings.signing_key is None else SigningKey.load(settings.signing_key)
    return Registry(settings.redis, RegistrySettings(prefix=f"{settings.prefix}modstream"), key)


def trust(settings: Settings) -> Trust:
    """Whose models may be served."""
    return Trust(settings.trusted_keys)


def await_model(registry: Registry, stop: Event, name: str, look: Callable[[], T]) -> T | None:
    """Look until the model is there; None once we shall stop. Says once what it waits for."""
    told = ""
    with registry.watch() as hints:
        while not stop.is_set():
            try:
                return look()
            except (ModelNotFound, RegistryUnavailable) as error:
                if type(error).__name__ != told:
                    told = type(error).__name__
                    structlog.get_logger(__name__).info("waiting", model=name, cause=str(error))
                hints.wait(0.5)
    return None
