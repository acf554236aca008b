"""Which models the cache asks the registry for, and when."""

from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from modstream.models.registry.keys import RegistryKeys
from modstream.models.serving.model_cache import ModelCache
from modstream.models.serving.settings import ModelCacheSettings
from tests.models.constant_model import publish_constant, served_constant
from tests.models.timing import eventually

pytestmark = pytest.mark.real

NAMES = [f"model-{number}" for number in range(64)]
SELDOM = ModelCacheSettings(poll_seconds=60)


@pytest.fixture
def read(registry, monkeypatch):
    """The names of all models whose card is read from the registry, in order."""
    names = []
    card = registry.card

    def counting(name, ref="champion"):
        names.append(name)
        return card(name, ref)

    monkeypatch.setattr(registry, "card", counting)
    return names


@pytest.fixture
def filled(registry, trust):
    """A cache that has loaded 64 models and whose background thread is not running."""
    cache = ModelCache(registry, trust, SELDOM)
    for name in NAMES:
        publish_constant(registry, 1, name=name)
        cache.get(name)
    return cache


def test_a_refresh_of_named_models_reads_their_cards_only(filled, read):
    filled.refresh({"model-3", "model-7", "unknown"})

    assert read == ["model-3", "model-7", "unknown"]


def test_a_refresh_without_names_reads_the_cards_of_all_models(filled, read):
    filled.refresh()

    assert read == NAMES


def test_a_notification_makes_the_cache_read_the_changed_model_only(filled, registry, read):
    with filled as cache:
        publish_constant(registry, 2, name="model-3")

        assert eventually(lambda: served_constant(cache.get("model-3")) == 2)

    assert set(read) == {"model-3"}


def test_a_reconnection_makes_the_cache_read_all_models_at_once(filled, registry, client, read):
    with filled as cache:
        client.client_kill_filter(_type="pubsub")
        publish_constant(registry, 2, name="model-3")

        assert eventually(lambda: served_constant(cache.get("model-3")) == 2)

    assert set(read) == set(NAMES)


def test_notifications_of_other_models_do_not_delay_the_poll(registry, client, prefix, trust):
    publish_constant(registry, 1)
    publish_constant(registry, 2, alias=None)
    keys, is_done = RegistryKeys(prefix), Event()

    def notify_of_another_model():
        while not is_done.wait(0.05):
            client.publish(keys.changes, "weather")

    with ModelCache(registry, trust, ModelCacheSettings(poll_seconds=0.3)) as cache:
        cache.get("flights")
        thread = Thread(target=notify_of_another_model)
        thread.start()
        client.hset(keys.aliases("flights"), "champion", "2")

        was_found = eventually(lambda: served_constant(cache.get("flights")) == 2)
        is_done.set()
        thread.join()

    assert was_found


def test_a_notification_that_is_not_utf8_does_not_end_the_thread(registry, client, prefix, trust):
    publish_constant(registry, 1)
    with ModelCache(registry, trust, SELDOM) as cache:
        cache.get("flights")
        client.publish(RegistryKeys(prefix).changes, b"\xff")

        publish_constant(registry, 2)

        assert eventually(lambda: served_constant(cache.get("flights")) == 2)


def test_an_error_in_the_swap_hook_does_not_end_the_thread(registry, trust):
    def fail(_swap):
        raise ZeroDivisionError

    publish_constant(registry, 1)
    with capture_logs(), ModelCache(registry, trust, SELDOM, on_swap=fail) as cache:
        cache.get("flights")
        for number in (2, 3):
            publish_constant(registry, number)

            assert eventually(lambda now=number: served_constant(cache.get("flights")) == now)


@pytest.mark.parametrize("target", ["99", "abc", "", "9" * 401, "-1"])
def test_an_alias_that_points_nowhere_is_a_problem_of_its_own_model_only(
    filled, registry, client, prefix, target
):
    keys = RegistryKeys(prefix)
    client.hset(keys.aliases("model-3"), "champion", target)
    publish_constant(registry, 2, name="model-7")

    filled.refresh()

    (ref, reason), *others = filled.problems.items()
    assert (ref, others) == (("model-3", "champion"), [])
    assert "modstream models promote model-3" in reason
    assert served_constant(filled.get("model-7")) == 2
    registry.promote("model-3", 1)
    filled.refresh()
    assert not filled.problems
