"""The idempotency keys of the gateway, in Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.idempotency import Claim, IdempotencyKeys
from modstream.producers.gateway.errors import IdempotencyConflict, NotServing
from modstream.settings import Settings

SECONDS_PER_HOUR = 3600


@contextmanager
def open_idempotency(settings: Settings) -> Iterator["RegistryIdempotency"]:
    """Yield the store of idempotency keys."""
    registry = RegistrySettings(prefix=f"{settings.prefix}modstream")
    ttl = settings.gateway.idempotency_hours * SECONDS_PER_HOUR
    with IdempotencyKeys(settings.redis_url, registry, ttl) as keys:
        yield RegistryIdempotency(keys)


class RegistryIdempotency:
    """Remembers in Redis which request an idempotency key was used for."""

    def __init__(self, keys: IdempotencyKeys) -> None:
        self._keys = keys

    def claim(self, scope: str, key: str, digest: str, ticket: str) -> str | None:
        """Return the ticket of an earlier request with this key; None if this is the first one.

        Raises:
            IdempotencyConflict: the key was used for a request with another digest.
            NotServing: Redis does not respond.
        """
        own = Claim(digest, ticket, uuid4().hex)
        try:
            first = self._keys.claim(scope, key, own)
        except RegistryUnavailable as error:
            reason = f"idempotency keys need Redis, which does not respond: {error}"
            raise NotServing(reason) from None
        if first.digest != digest:
            raise IdempotencyConflict(key)
        return None if first == own else first.ticket
