"""Idempotency keys in Redis: one request is the first, whatever comes at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.idempotency import IdempotencyKeys
from modstream.producers.gateway.errors import IdempotencyConflict, NotServing
from modstream.registry.idempotency import RegistryIdempotency

pytestmark = pytest.mark.real


@pytest.fixture
def keys(redis_url, prefix):
    with IdempotencyKeys(redis_url, RegistrySettings(prefix=prefix), 60) as opened:
        yield RegistryIdempotency(opened)


def test_of_equal_claims_at_once_one_is_the_first(keys):
    with ThreadPoolExecutor(8) as pool:
        claims = [pool.submit(keys.claim, "s:", "order", "digest", "ticket") for _ in range(100)]
    found = [claim.result() for claim in claims]
    assert (found.count(None), found.count("ticket")) == (1, 99)


def test_another_request_with_the_same_key_is_a_conflict_and_another_scope_is_not(keys):
    assert keys.claim("s:", "order", "digest", "ticket") is None
    with pytest.raises(IdempotencyConflict, match="order"):
        keys.claim("s:", "order", "other", "ticket")
    assert keys.claim("s:alice", "order", "other", "ticket") is None


def test_without_redis_a_call_with_a_key_is_refused_for_now():
    settings = RegistrySettings(timeout_seconds=0.5)
    with (
        IdempotencyKeys("redis://127.0.0.1:1/0", settings, 60) as opened,
        pytest.raises(NotServing, match="Redis") as caught,
    ):
        RegistryIdempotency(opened).claim("s:", "order", "digest", "ticket")
    assert caught.value.retry_after
    assert isinstance(caught.value.__context__, RegistryUnavailable)
