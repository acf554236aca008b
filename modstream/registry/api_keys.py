"""The API keys of an installation: in a file if the settings name one, or else in Redis."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog
from pydantic import ValidationError

from modstream.models.registry.api_keys import ApiKeyTable
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.producers.gateway.security.api_key import ApiKey
from modstream.producers.gateway.security.errors import KeyExists, KeysUnreadable
from modstream.producers.gateway.security.key_file import KeyFile
from modstream.settings import Settings


class KeyStore(Protocol):
    """Where the keys are stored; `KeyFile` is one, and `RedisKeys`."""

    def read(self) -> Sequence[ApiKey]:
        """Return all keys.

        Raises:
            KeysUnreadable: they cannot be read at present.
        """

    def add(self, key: ApiKey) -> None:
        """Store a new key.

        Raises:
            KeyExists: a key has its name.
            KeysUnreadable: keys cannot be stored at present.
        """

    def remove(self, name: str) -> bool:
        """Remove a key, and return whether there was one.

        Raises:
            KeysUnreadable: keys cannot be removed at present.
        """


@contextmanager
def open_key_store(settings: Settings) -> Iterator[KeyStore]:
    """Yield the store of the API keys; Redis is asked only when a key is."""
    if settings.gateway.api_keys is not None:
        yield KeyFile(settings.gateway.api_keys)
        return
    registry = RegistrySettings(prefix=f"{settings.prefix}modstream")
    with ApiKeyTable(settings.redis_url, registry) as table:
        yield RedisKeys(table)


class RedisKeys:
    """The keys in Redis; a damaged one is left out and logged, so that the others stay valid."""

    def __init__(self, table: ApiKeyTable) -> None:
        self._table = table
        self._parsed: tuple[Mapping[str, str], tuple[ApiKey, ...]] = ({}, ())

    def read(self) -> Sequence[ApiKey]:
        """Return all keys, in the order of their creation.

        Raises:
            KeysUnreadable: Redis does not answer.
        """
        try:
            documents = self._table.documents()
        except RegistryUnavailable as error:
            raise _unreadable(error) from None
        if documents != self._parsed[0]:
            found = (parse_key(name, text) for name, text in documents.items())
            keys = sorted((key for key in found if key is not None), key=lambda one: one.created)
            self._parsed = (documents, tuple(keys))
        return self._parsed[1]

    def add(self, key: ApiKey) -> None:
        """Store a new key.

        Raises:
            KeyExists: a key has its name.
            KeysUnreadable: Redis does not answer.
        """
        try:
            is_new = self._table.add(key.name, key.model_dump_json())
        except RegistryUnavailable as error:
            raise _unreadable(error) from None
        if not is_new:
            raise KeyExists(key.name)

    def remove(self, name: str) -> bool:
        """Remove a key, and return whether there was one.

        Raises:
            KeysUnreadable: Redis does not answer.
        """
        try:
            return self._table.remove(name)
        except RegistryUnavailable as error:
            raise _unreadable(error) from None


def parse_key(name: str, document: str) -> ApiKey | None:
    """Return the key of a document; None, and a line in the log, if it is damaged."""
    log = structlog.get_logger(__name__)
    try:
        key = ApiKey.model_validate_json(document)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]["msg"]
        log.warning("API key ignored: its document is damaged", name=name[:100], cause=problem)
        return None
    if key.name != name:
        log.warning("API key ignored: its document is that of another", name=name[:100])
        return None
    return key


def _unreadable(error: RegistryUnavailable) -> KeysUnreadable:
    return KeysUnreadable("Redis, which has them, does not respond", error.reason)
