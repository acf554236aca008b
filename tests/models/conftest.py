"""Fixtures: a registry with a prefix of its own in the Redis that all tests share."""

from collections.abc import Iterator

import pytest
import redis

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import Trust


@pytest.fixture
def registry(redis_url: str, prefix: str) -> Iterator[Registry]:
    """A registry that keeps three artifacts per model."""
    with Registry(redis_url, RegistrySettings(prefix=prefix, keep_artifacts=3)) as registry:
        yield registry


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A plain Redis client, for access to the registry's keys."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def trust() -> Trust:
    """Trust in every model, for tests that are not about signatures."""
    return Trust()
