"""The registry as commands open it, and names of models that do not exist."""

from collections.abc import Iterator
from contextlib import contextmanager

from modstream.cli.servers import require_redis
from modstream.errors import UnknownName
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.registry import Registry
from modstream.registry.access import open_registry
from modstream.settings import Settings


@contextmanager
def open_models(settings: Settings) -> Iterator[Registry]:
    """Open the registry for a command.

    Raises:
        RedisUnreachable: Redis does not answer within `connect_timeout`.
        UnknownName: the command names a model, a version or an alias that does not exist.
    """
    require_redis(settings)
    with open_registry(settings) as registry:
        try:
            yield registry
        except ModelNotFound as error:
            raise unknown_model(registry, error.name, error.ref) from error


def require_model(registry: Registry, name: str) -> None:
    """Raise UnknownName unless a model of this name is published."""
    if name not in registry.names():
        raise unknown_model(registry, name, "")


def unknown_model(registry: Registry, name: str, ref: int | str) -> UnknownName:
    """Return the error for a model that does not exist, or that has no such version or alias."""
    names = registry.names()
    if name not in names:
        remedy = f"`modstream models publish {name} FILE` publishes it"
        return UnknownName("model", name, names, remedy)
    if str(ref).isdecimal():
        versions = [str(card.version) for card in registry.versions(name)]
        return UnknownName(f"version of {name}", str(ref), versions)
    return UnknownName(f"alias of {name}", str(ref), registry.aliases(name))
