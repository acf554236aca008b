"""Opens the prediction store of a URL."""

from urllib.parse import urlsplit

from modstream.models.prediction_store.errors import StoreLibraryMissing, UnknownStore
from modstream.models.prediction_store.redis_store import RedisPredictionStore
from modstream.models.prediction_store.store import PredictionStore

REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})
POSTGRESQL_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})


def open_store(url: str, prefix: str, timeout_seconds: float) -> PredictionStore:
    """Return the store of a URL, which connects on first use.

    Args:
        url: that of a Redis or of a PostgreSQL.
        prefix: separates installations that share the server.
        timeout_seconds: limit for opening a connection, and for each reply.

    Raises:
        UnknownStore: the URL is that of neither.
        StoreLibraryMissing: the packages of PostgreSQL are not installed.
    """
    parts = urlsplit(url)
    if parts.scheme in REDIS_SCHEMES:
        return RedisPredictionStore(url, prefix, timeout_seconds)
    if parts.scheme not in POSTGRESQL_SCHEMES:
        raise UnknownStore(f"{parts.scheme}://{parts.hostname or ''}")
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra, which the store of Redis does not need

        from modstream.models.prediction_store.sql_store import SqlPredictionStore  # noqa: PLC0415
    except ImportError:
        raise StoreLibraryMissing("PostgreSQL", "sql") from None
    return SqlPredictionStore(url, prefix, timeout_seconds)
