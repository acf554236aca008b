from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import ge
from threading import Event

import pytest

from modstream.models.errors import ArtifactGone, ModelNotFound
from modstream.models.registry.keys import Keys
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import Trust
from modstream.models.serving.model_cache import Shelf, ShelfSettings
from tests.models.constant_model import biased, number_of, onnx_artifact, publish
from tests.models.timing import Clock, eventually

pytestmark = pytest.mark.real


@pytest.fixture
def shelf(registry: Registry, trust: Trust) -> Iterator[Shelf]:
    with Shelf(registry, trust, ShelfSettings(poll_seconds=0.5)) as shelf:
        yield shelf


def test_the_first_request_for_a_model_loads_it(registry, shelf):
    publish(registry, 2)

    loaded = shelf.get("flights")

    assert loaded.card == registry.card("flights")
    assert number_of(loaded) == 2
    assert shelf.held == {("flights", "champion"): 1}


def test_a_version_is_had_by_number_or_alias(registry, shelf):
    publish(registry, 1)
    publish(registry, 2)
    publish(registry, 3, alias="challenger")

    numbers = [number_of(shelf.get("flights", ref)) for ref in (1, "1", "champion", "challenger")]

    assert numbers == [1, 1, 2, 3]


def test_names_for_one_version_share_one_runtime(registry, shelf):
    publish(registry, 1)
    registry.promote("flights", 1, "shadow")

    runtimes = {id(shelf.get("flights", ref).runtime) for ref in ("champion", "shadow", 1, "1")}

    assert len(runtimes) == 1


def test_a_new_version_is_swapped_in_on_the_hint(registry, trust):
    publish(registry, 1)
    with Shelf(registry, trust, ShelfSettings(poll_seconds=60)) as shelf:
        shelf.get("flights")
        publish(registry, 2)

        assert eventually(lambda: number_of(shelf.get("flights")) == 2)

    (swap,) = shelf.take_swaps()
    assert (swap.name, swap.ref, swap.old, swap.new) == ("flights", "champion", 1, 2)
    assert 0 < swap.seconds < 5
    assert (shelf.swaps, shelf.take_swaps()) == (1, [])


def test_a_change_whose_hint_is_lost_is_found_by_the_poll(registry, client, prefix, trust):
    publish(registry, 1)
    with Shelf(registry, trust, ShelfSettings(poll_seconds=0.3)) as shelf:
        publish(registry, 2, alias=None)
        shelf.get("flights")

        client.hset(Keys(prefix).aliases("flights"), "champion", "2")

        assert eventually(lambda: number_of(shelf.get("flights")) == 2, seconds=2)


def test_a_shelf_whose_subscription_breaks_keeps_up(registry, shelf, client):
    publish(registry, 1)
    shelf.get("flights")
    client.client_kill_filter(_type="pubsub")

    publish(registry, 2)

    assert eventually(lambda: number_of(shelf.get("flights")) == 2)


def test_a_rollback_is_followed_too(registry, shelf):
    publish(registry, 1)
    publish(registry, 2)
    shelf.get("flights")

    registry.rollback("flights")

    assert eventually(lambda: number_of(shelf.get("flights")) == 1)


def test_a_version_asked_for_by_number_does_not_move(registry, shelf):
    publish(registry, 1)
    shelf.get("flights", 1)
    shelf.get("flights")

    publish(registry, 2)

    assert eventually(lambda: shelf.swaps == 1)
    assert shelf.held == {("flights", 1): 1, ("flights", "champion"): 2}


def test_readers_see_the_old_version_or_the_new_one_and_never_a_mixture(registry, shelf):
    publish(registry, 0)
    shelf.get("flights")
    done = Event()
    seen: list[list[int]] = [[], []]

    def read(numbers: list[int]) -> None:
        while not done.is_set():
            numbers.append(number_of(shelf.get("flights")))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, numbers) for numbers in seen]
        for number in range(1, 6):
            enough = [len(numbers) + 200 for numbers in seen]
            assert eventually(lambda goals=enough: all(map(ge, map(len, seen), goals)))
            publish(registry, number)
            assert eventually(lambda now=number: all(numbers[-1] == now for numbers in seen))
        done.set()
        for reader in readers:
            reader.result()

    assert [sorted(set(numbers)) for numbers in seen] == [list(range(6))] * 2
    assert all(numbers == sorted(numbers) for numbers in seen)


def test_a_batch_in_flight_keeps_the_version_it_began_with(registry, shelf):
    publish(registry, 1)
    begun = shelf.get("flights")
    publish(registry, 2)
    assert eventually(lambda: number_of(shelf.get("flights")) == 2)

    assert number_of(begun) == 1


def test_threads_that_ask_first_at_the_same_time_get_one_runtime(registry, shelf):
    publish(registry, 1)

    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(shelf.get, ["flights"] * 4))

    assert len({id(each.runtime) for each in loaded}) == 1


def test_an_unknown_model_is_asked_for_once_a_second(registry, trust):
    clock = Clock()
    shelf = Shelf(registry, trust, ShelfSettings(absent_seconds=1.0), clock)
    with pytest.raises(ModelNotFound, match="'flights' has no version or alias 'champion'"):
        shelf.get("flights")
    publish(registry, 1)

    with pytest.raises(ModelNotFound):
        shelf.get("flights")
    clock.now += 1.1

    assert number_of(shelf.get("flights")) == 1


def test_a_flood_for_unknown_models_stays_small(registry, trust):
    shelf = Shelf(registry, trust)

    for number in range(1100):
        with pytest.raises(ModelNotFound):
            shelf.get(f"unknown-{number}")

    assert len(shelf._absent.reasons()) == 1000


def test_a_version_that_retention_has_emptied_says_so(registry, shelf):
    for number in range(5):
        publish(registry, number)

    with pytest.raises(ArtifactGone, match="version 1 is gone"):
        shelf.get("flights", 1)


def test_the_least_recently_used_model_makes_room(registry, trust):
    sizes = [publish(registry, 1, name=name).size for name in ("a", "b", "c")]
    shelf = Shelf(registry, trust, ShelfSettings(max_bytes=sum(sizes[:2])))
    shelf.get("a")
    shelf.get("b")
    shelf.get("a")

    shelf.get("c")

    assert set(shelf.held) == {("a", "champion"), ("c", "champion")}
    assert number_of(shelf.get("b")) == 1


def test_pinned_models_are_never_evicted(registry, trust):
    sizes = [publish(registry, 1, name=name).size for name in ("a", "b", "c")]
    settings = ShelfSettings(max_bytes=sum(sizes[:2]), pinned=frozenset({"a"}))
    shelf = Shelf(registry, trust, settings)
    for name in ("a", "b", "c"):
        shelf.get(name)

    assert set(shelf.held) == {("a", "champion"), ("c", "champion")}


def test_a_replaced_version_leaves_the_memory(registry, trust):
    shelf = Shelf(registry, trust)
    for number in range(4):
        publish(registry, number)
        shelf.get("flights")
        shelf.refresh()

    assert len(shelf._residents._loaded) == 1


def test_the_next_version_may_be_of_another_runtime(registry, shelf):
    publish(registry, 1)
    assert shelf.get("flights").runtime.name == "river"

    registry.publish(biased("flights", 2, runtime="onnx"), onnx_artifact(2))

    assert eventually(lambda: number_of(shelf.get("flights")) == 2)
    assert shelf.get("flights").runtime.name == "onnx"
