import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from modstream.models.registry.registry import Registry
from tests.models.version_specs import draft, publish

pytestmark = pytest.mark.real


def test_a_change_is_hinted_by_the_models_name(registry):
    with registry.watch() as hints:
        publish(registry, 1)

        assert hints.wait(5) == {"flights"}
        assert hints.wait(0.05) == set()


def test_hints_in_a_row_are_told_at_once_and_none_is_left_out(registry):
    with registry.watch() as hints:
        for number in range(20):
            publish(registry, number)
        registry.publish(draft("weather"), b"model")

        assert hints.wait(5) | hints.wait(0.2) == {"flights", "weather"}
        assert hints.wait(0.05) == set()


def test_promotion_and_rollback_are_hinted(registry):
    publish(registry, 1)
    publish(registry, 2)
    with registry.watch() as hints:
        registry.promote("flights", 1)
        promoted = hints.wait(5)
        registry.rollback("flights")

        assert (promoted, hints.wait(5)) == ({"flights"}, {"flights"})


def test_a_wait_without_hints_takes_its_time_and_no_more(registry):
    with registry.watch() as hints:
        began = time.monotonic()

        assert hints.wait(0.2) == set()
        assert 0.2 <= time.monotonic() - began < 1


def test_a_broken_subscription_mends_itself(registry, client):
    with registry.watch() as hints:
        client.client_kill_filter(_type="pubsub")
        hints.wait(0.1)

        publish(registry, 1)

        assert hints.wait(5) == {"flights"}


def test_waiting_without_a_server_is_quiet_and_hears_again_after_its_return(redis_server):
    server = redis_server()
    with Registry(server.url) as registry, registry.watch() as hints:
        server.kill()
        began = time.monotonic()

        assert hints.wait(0.3) == set()
        assert 0.3 <= time.monotonic() - began < 2

        server.start()
        hints.wait(0.1)
        publish(registry, 1)
        assert hints.wait(5) == {"flights"}


def test_closing_ends_waiting(registry):
    hints = registry.watch()
    hints.close()

    began = time.monotonic()

    assert hints.wait(10) == set()
    assert time.monotonic() - began < 1


def test_a_subscription_that_begins_without_a_server_begins_when_there_is_one(redis_server):
    server = redis_server()
    server.kill()
    with Registry(server.url) as registry, registry.watch() as hints:
        assert hints.wait(0.1) == set()

        server.start()
        hints.wait(0.1)
        publish(registry, 1)

        assert hints.wait(5) == {"flights"}


def test_closing_ends_a_wait_in_another_thread(registry):
    hints = registry.watch()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(hints.wait, 60)
        began = time.monotonic()

        hints.close()

        assert waiting.result() == set()
    assert time.monotonic() - began < 2
