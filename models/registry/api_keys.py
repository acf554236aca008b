"""API keys in Redis: a document for each name, whose content is known to its readers only."""

from collections.abc import Mapping
from typing import Self

import redis

from modstream.models.registry.connection import (
    RegistrySettings,
    connect,
    translate_redis_errors,
)
from modstream.models.registry.keys import RegistryKeys


class ApiKeyTable:
    """The API keys of an installation. No secret is among them; none expires by itself."""

    def __init__(self, url: str, settings: RegistrySettings) -> None:
        self._redis: redis.Redis = connect(url, settings)
        self._table = RegistryKeys(settings.prefix).api_keys

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()

    def documents(self) -> Mapping[str, str]:
        """Return the document of each name.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            found: dict[bytes, bytes] = self._redis.hgetall(self._table)  # type: ignore[assignment]
        return {
            name.decode(errors="replace"): text.decode(errors="replace")
            for name, text in found.items()
        }

    def add(self, name: str, document: str) -> bool:
        """Store a document; return False, and store nothing, if its name has one.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            return bool(self._redis.hsetnx(self._table, name, document))

    def remove(self, name: str) -> bool:
        """Remove the document of a name, and return whether there was one.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            return bool(self._redis.hdel(self._table, name))
