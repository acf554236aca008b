"""The definitions of streams' features in Redis; their readers know their content."""

from typing import NamedTuple, Self

import redis

from modstream.models.registry.connection import (
    RegistrySettings,
    connect,
    translate_redis_errors,
)
from modstream.models.registry.keys import RegistryKeys


class PublishedDefinitions(NamedTuple):
    """A document of definitions; `revision` counts how often it was replaced."""

    revision: int
    document: bytes


class FeatureDefinitionTable:
    """The definitions of one stream's features."""

    def __init__(self, url: str, settings: RegistrySettings, stream: str) -> None:
        self._redis: redis.Redis = connect(url, settings)
        self._key = RegistryKeys(settings.prefix).features(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()

    def read(self) -> PublishedDefinitions | None:
        """Return the definitions, or None if the stream has none.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            revision, document = self._redis.hmget(self._key, ["revision", "document"])
        if revision is None or not isinstance(document, bytes):
            return None
        return PublishedDefinitions(int(revision), document)

    def write(self, document: bytes) -> int:
        """Replace the definitions, and return their revision.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors(), self._redis.pipeline() as pipeline:
            pipeline.hincrby(self._key, "revision", 1)
            pipeline.hset(self._key, "document", document)
            revision, _ = pipeline.execute()
        return int(revision)

    def remove(self) -> bool:
        """Remove the definitions; return whether there were any.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            return bool(self._redis.delete(self._key))
