from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import ge
from threading import Event

import pytest

from modstream.models.registry.errors import ArtifactDeleted, ModelNotFound
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import Trust
from modstream.models.serving.model_cache import ModelCache, ModelSwap
from modstream.models.serving.settings import ModelCacheSettings
from tests.models.constant_model import (
    constant_onnx_artifact,
    constant_spec,
    publish_constant,
    served_constant,
)
from tests.models.timing import ManualClock, eventually

pytestmark = pytest.mark.real


@pytest.fixture
def cache(registry: Registry, trust: Trust) -> Iterator[ModelCache]:
    with ModelCache(registry, trust, ModelCacheSettings(poll_seconds=0.5)) as cache:
        yield cache


def test_the_first_request_for_a_model_loads_it(registry, cache):
    publish_constant(registry, 2)

    loaded = cache.get("flights")

    assert loaded.card == registry.card("flights")
    assert served_constant(loaded) == 2
    assert cache.versions == {("flights", "champion"): 1}


def test_a_version_is_served_by_number_or_alias(registry, cache):
    publish_constant(registry, 1)
    publish_constant(registry, 2)
    publish_constant(registry, 3, alias="challenger")
    # The champion is loaded when it is published, and swapped when it is published again.
    assert eventually(lambda: cache.versions.get(("flights", "champion")) == 2)

    numbers = [
        served_constant(cache.get("flights", ref)) for ref in (1, "1", "champion", "challenger")
    ]

    assert numbers == [1, 1, 2, 3]


def test_references_to_one_version_share_one_runtime(registry, cache):
    publish_constant(registry, 1)
    registry.promote("flights", 1, "shadow")

    runtimes = {id(cache.get("flights", ref).runtime) for ref in ("champion", "shadow", 1, "1")}

    assert len(runtimes) == 1


def test_a_new_version_is_swapped_in_on_notification(registry, trust):
    publish_constant(registry, 1)
    swaps: list[ModelSwap] = []
    settings = ModelCacheSettings(poll_seconds=60)
    with ModelCache(registry, trust, settings, on_swap=swaps.append) as cache:
        cache.get("flights")
        publish_constant(registry, 2)

        assert eventually(lambda: served_constant(cache.get("flights")) == 2)

    (swap,) = swaps
    assert swap == ModelSwap("flights", "champion", 1, 2, swap.seconds)
    assert 0 < swap.seconds < 5


def test_a_change_without_a_notification_is_found_by_the_poll(registry, client, prefix, trust):
    publish_constant(registry, 1)
    with ModelCache(registry, trust, ModelCacheSettings(poll_seconds=0.3)) as cache:
        publish_constant(registry, 2, alias=None)
        cache.get("flights")

        client.hset(RegistryKeys(prefix).aliases("flights"), "champion", "2")

        assert eventually(lambda: served_constant(cache.get("flights")) == 2, seconds=2)


def test_a_cache_whose_subscription_breaks_stays_fresh(registry, cache, client):
    publish_constant(registry, 1)
    cache.get("flights")
    client.client_kill_filter(_type="pubsub")

    publish_constant(registry, 2)

    assert eventually(lambda: served_constant(cache.get("flights")) == 2)


def test_a_rollback_is_swapped_in(registry, cache):
    publish_constant(registry, 1)
    publish_constant(registry, 2)
    cache.get("flights")

    registry.rollback("flights")

    assert eventually(lambda: served_constant(cache.get("flights")) == 1)


def test_a_version_referenced_by_number_does_not_change(registry, cache):
    publish_constant(registry, 1)
    cache.get("flights", 1)
    cache.get("flights")

    publish_constant(registry, 2)

    assert eventually(lambda: cache.versions["flights", "champion"] == 2)
    assert cache.versions == {("flights", 1): 1, ("flights", "champion"): 2}


def test_readers_see_either_the_old_or_the_new_version(registry, cache):
    publish_constant(registry, 0)
    cache.get("flights")
    done = Event()
    seen: list[list[int]] = [[], []]

    def read(numbers: list[int]) -> None:
        while not done.is_set():
            numbers.append(served_constant(cache.get("flights")))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, numbers) for numbers in seen]
        for number in range(1, 6):
            enough = [len(numbers) + 200 for numbers in seen]
            assert eventually(lambda goals=enough: all(map(ge, map(len, seen), goals)))
            publish_constant(registry, number)
            assert eventually(lambda now=number: all(numbers[-1] == now for numbers in seen))
        done.set()
        for reader in readers:
            reader.result()

    assert [sorted(set(numbers)) for numbers in seen] == [list(range(6))] * 2
    assert all(numbers == sorted(numbers) for numbers in seen)


def test_a_batch_in_flight_keeps_its_version(registry, cache):
    publish_constant(registry, 1)
    started = cache.get("flights")
    publish_constant(registry, 2)
    assert eventually(lambda: served_constant(cache.get("flights")) == 2)

    assert served_constant(started) == 1


def test_concurrent_first_requests_load_one_runtime(registry, cache):
    publish_constant(registry, 1)

    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(cache.get, ["flights"] * 4))

    assert len({id(each.runtime) for each in loaded}) == 1


def test_an_unknown_model_is_looked_up_once_a_second(registry, trust):
    clock = ManualClock()
    cache = ModelCache(registry, trust, ModelCacheSettings(not_found_ttl_seconds=1.0), clock)
    with pytest.raises(ModelNotFound, match="'flights' has no version or alias 'champion'"):
        cache.get("flights")
    publish_constant(registry, 1)

    with pytest.raises(ModelNotFound):
        cache.get("flights")
    clock.now += 1.1

    assert served_constant(cache.get("flights")) == 1


def test_the_failures_of_unknown_models_are_bounded(registry, trust):
    cache = ModelCache(registry, trust)

    for number in range(1100):
        with pytest.raises(ModelNotFound):
            cache.get(f"unknown-{number}")

    assert len(cache._not_loaded.reasons()) == 1000


def test_a_version_deleted_by_retention_is_reported(registry, cache):
    for number in range(5):
        publish_constant(registry, number)

    with pytest.raises(ArtifactDeleted, match="version 1 was deleted"):
        cache.get("flights", 1)


def test_the_least_recently_used_model_is_evicted(registry, trust):
    sizes = [publish_constant(registry, 1, name=name).size for name in ("a", "b", "c")]
    cache = ModelCache(registry, trust, ModelCacheSettings(max_bytes=sum(sizes[:2])))
    cache.get("a")
    cache.get("b")
    cache.get("a")

    cache.get("c")

    assert set(cache.versions) == {("a", "champion"), ("c", "champion")}
    assert served_constant(cache.get("b")) == 1


def test_pinned_models_are_never_evicted(registry, trust):
    sizes = [publish_constant(registry, 1, name=name).size for name in ("a", "b", "c")]
    settings = ModelCacheSettings(max_bytes=sum(sizes[:2]), pinned=frozenset({"a"}))
    cache = ModelCache(registry, trust, settings)
    for name in ("a", "b", "c"):
        cache.get(name)

    assert set(cache.versions) == {("a", "champion"), ("c", "champion")}


def test_a_replaced_version_is_dropped(registry, trust):
    cache = ModelCache(registry, trust)
    for number in range(4):
        publish_constant(registry, number)
        cache.get("flights")
        cache.refresh()

    assert len(cache._loaded_models._loaded) == 1


def test_the_next_version_may_have_another_runtime(registry, cache):
    publish_constant(registry, 1)
    assert cache.get("flights").runtime.name == "river"

    registry.publish(constant_spec("flights", 2, runtime="onnx"), constant_onnx_artifact(2))

    assert eventually(lambda: served_constant(cache.get("flights")) == 2)
    assert cache.get("flights").runtime.name == "onnx"
