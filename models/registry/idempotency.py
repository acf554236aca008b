"""Idempotency keys in Redis: which request each key was first used for."""

from hashlib import sha256
from typing import NamedTuple, Self

import redis

from modstream.models.registry.connection import (
    RegistrySettings,
    connect,
    translate_redis_errors,
)
from modstream.models.registry.queries import decode_text

SEPARATOR = " "


class Claim(NamedTuple):
    """The digest and the ticket of a request that uses a key.

    `token` is unique: two requests of the same moment can have equal tickets.
    """

    digest: str
    ticket: str
    token: str


class IdempotencyKeys:
    """The idempotency keys of all gateways of an installation. They expire."""

    def __init__(self, url: str, settings: RegistrySettings, ttl_seconds: int) -> None:
        self._redis: redis.Redis = connect(url, settings)
        self._prefix = settings.prefix
        self._ttl = ttl_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()

    def claim(self, scope: str, key: str, own: Claim) -> Claim:
        """Use a key for a request, unless it was used before.

        Args:
            scope: keys of different scopes are different.
            key: the key.
            own: the claim of this request.

        Returns:
            The claim of the first request with this key, which may be the own one.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        digest = sha256(f"{scope}\n{key}".encode()).hexdigest()
        name = f"{self._prefix}:idempotency:{digest}"
        value = SEPARATOR.join(own)
        with translate_redis_errors():
            first = self._redis.set(name, value, nx=True, get=True, ex=self._ttl)
        if not isinstance(first, bytes | str):
            return own
        return Claim(*decode_text(first).split(SEPARATOR))
