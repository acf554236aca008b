"""A registry of a test's own, in the Redis that all tests share."""

from collections.abc import Iterator

import pytest
import redis

from modstream.models.registry.registry import Registry, RegistrySettings
from modstream.models.security.signing import Trust


@pytest.fixture
def registry(redis_url: str, prefix: str) -> Iterator[Registry]:
    """Open a registry that keeps three artifacts per model."""
    with Registry(redis_url, RegistrySettings(prefix=prefix, keep=3)) as registry:
        yield registry


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """Reach around the registry, into its keys."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def trust() -> Trust:
    """Trust everybody, where a test is not about signatures."""
    return Trust()
