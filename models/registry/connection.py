"""The one connection to Redis: short timeouts, one retry, foreign errors translated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from modstream.models.errors import RegistryUnavailable


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How a registry is reached and how much it keeps."""

    prefix: str = "modstream"
    """First part of every key; registries with different prefixes never meet."""
    keep: int = 10
    """Artifacts kept per model: so many newest ones, and per alias so many to go back along.

    At least 2, or there is nothing to roll back to.
    """
    remember: int = 500
    """Moves remembered per alias."""
    timeout: float = 2.0
    """Seconds to wait for a connection, for each reply, and for sending one artifact."""
    cellar: Path | None = None
    """Folder for copies of what this client publishes or fetches, as long as Redis holds it."""
    patience: float = 10.0
    """Seconds a write may lose against other writers of the same model before it gives up."""


def connect(url: str, settings: RegistrySettings) -> redis.Redis:
    """Make a client for `url` (redis://, rediss:// or unix://); connects on first use.

    One retry, at once, covers a pooled connection that the server has closed in the meantime;
    everything longer is the caller's to decide.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=settings.timeout,
        socket_connect_timeout=settings.timeout,
        health_check_interval=15,
        retry=Retry(NoBackoff(), retries=1),
    )


@contextmanager
def answering() -> Iterator[None]:
    """Let no Redis error out of the room.

    Raises:
        RegistryUnavailable: Redis is away, too slow, or refuses the command; has the cause.
    """
    try:
        yield
    except redis.RedisError as error:
        raise RegistryUnavailable(str(error) or type(error).__name__) from error
