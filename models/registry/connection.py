"""The connection to Redis: short timeouts, one retry, and redis-py's errors translated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from modstream.models.registry.errors import RegistryLoginRefused, RegistryUnavailable

LOGIN_MISSING = ("HELLO must be called", "Authentication required")
"""How Redis words that a client has not logged in."""


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Connection, retention and backup settings of a registry."""

    prefix: str = "modstream"
    """First part of every key; registries with different prefixes share no key."""
    keep_artifacts: int = 10
    """Artifacts kept per model: this many of the newest, and this many per alias to roll back to.

    At least 2; with 1 a rollback has no version to go back to.
    """
    history_length: int = 500
    """Moves remembered per alias."""
    timeout_seconds: float = 2.0
    """Limit for opening a connection, for each reply, and for sending one artifact."""
    backup_dir: Path | None = None
    """Folder for backups of the versions that this client publishes or fetches; None for none."""
    write_timeout_seconds: float = 10.0
    """How long a write is retried while other writers change the same model."""


def connect(url: str, settings: RegistrySettings) -> redis.Redis:
    """Return a client for `url` (redis://, rediss:// or unix://), which connects on first use.

    The client retries once, immediately. That covers a pooled connection which the server has
    closed in the meantime; longer retries are left to the caller.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        health_check_interval=15,
        retry=Retry(NoBackoff(), retries=1),
    )


def ping(url: str, timeout_seconds: float) -> None:
    """Check that a Redis answers, within about `timeout_seconds`.

    Raises:
        RegistryLoginRefused: the login, or one of the certificates, is not accepted.
        RegistryUnavailable: it does not, or the URL is invalid.
    """
    limit = timeout_seconds / 2  # One half for the connection, the other for the reply.
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=limit, socket_connect_timeout=limit, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise RegistryUnavailable(str(error)) from error
    with client, translate_redis_errors():
        client.ping()


@contextmanager
def translate_redis_errors() -> Iterator[None]:
    """Translate the errors of redis-py into RegistryUnavailable.

    Raises:
        RegistryLoginRefused: the login, or one of the certificates, is not accepted.
        RegistryUnavailable: Redis is unreachable, too slow, or refuses the command. The original
            error is its cause.
    """
    try:
        yield
    except redis.RedisError as error:
        raise _outage(error) from error


def _outage(error: redis.RedisError) -> RegistryUnavailable:
    text = str(error) or type(error).__name__
    if any(part in text for part in LOGIN_MISSING):
        return RegistryLoginRefused("it wants a user and a password, and none is given")
    is_refused = isinstance(error, redis.AuthenticationError) or "CERTIFICATE" in text.upper()
    return (RegistryLoginRefused if is_refused else RegistryUnavailable)(text)
