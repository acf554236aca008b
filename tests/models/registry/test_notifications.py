import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from tests.models.version_specs import publish_version, version_spec

pytestmark = pytest.mark.real


def test_a_change_is_notified_with_the_models_name(registry):
    with registry.subscribe() as changes:
        publish_version(registry, 1)

        assert changes.wait(5) == {"flights"}
        assert changes.wait(0.05) == set()


def test_several_notifications_are_returned_together_and_none_is_left_out(registry):
    with registry.subscribe() as changes:
        for number in range(20):
            publish_version(registry, number)
        registry.publish(version_spec("weather"), b"model")

        assert changes.wait(5) | changes.wait(0.2) == {"flights", "weather"}
        assert changes.wait(0.05) == set()


def test_promotion_and_rollback_are_notified(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)
    with registry.subscribe() as changes:
        registry.promote("flights", 1)
        promoted = changes.wait(5)
        registry.rollback("flights")

        assert (promoted, changes.wait(5)) == ({"flights"}, {"flights"})


def test_a_wait_without_notifications_takes_exactly_its_time(registry):
    with registry.subscribe() as changes:
        started = time.monotonic()

        assert changes.wait(0.2) == set()
        assert 0.2 <= time.monotonic() - started < 1


def test_waiting_for_a_model_ignores_changes_of_other_models(registry):
    with registry.subscribe() as changes, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(changes.wait_for, "flights", 60)
        registry.publish(version_spec("weather"), b"model")
        time.sleep(0.2)
        is_waiting = waiting.running()

        publish_version(registry, 1)

        waiting.result(timeout=5)
        assert is_waiting


def test_waiting_for_a_model_ends_with_its_time(registry):
    with registry.subscribe() as changes:
        registry.publish(version_spec("weather"), b"model")
        started = time.monotonic()

        changes.wait_for("flights", 0.3)

        assert 0.3 <= time.monotonic() - started < 1


def test_a_name_that_is_not_utf8_does_not_end_the_subscription(registry, client, prefix):
    with registry.subscribe() as changes:
        client.publish(RegistryKeys(prefix).changes, b"\xff")
        publish_version(registry, 1)

        assert "flights" in changes.wait(5) | changes.wait(0.2)


def test_a_broken_subscription_reconnects(registry, client):
    with registry.subscribe() as changes:
        client.client_kill_filter(_type="pubsub")
        changes.wait(0.1)

        publish_version(registry, 1)

        assert changes.wait(5) == {"flights"}


def test_a_reconnection_is_reported_at_once_as_a_change_of_any_model(registry, client):
    with registry.subscribe() as changes:
        client.client_kill_filter(_type="pubsub")
        publish_version(registry, 1)  # this notification is lost
        started = time.monotonic()

        assert changes.wait(60) == set()
        assert time.monotonic() - started < 5


def test_waiting_works_without_a_server_and_notifications_resume_after_its_return(redis_server):
    server = redis_server()
    with Registry(server.url) as registry, registry.subscribe() as changes:
        server.kill()
        started = time.monotonic()

        assert changes.wait(0.3) == set()
        assert 0.3 <= time.monotonic() - started < 2

        server.start()
        changes.wait(0.1)
        publish_version(registry, 1)
        assert changes.wait(5) == {"flights"}


def test_a_wait_after_close_returns_at_once(registry):
    changes = registry.subscribe()
    changes.close()

    started = time.monotonic()

    assert changes.wait(10) == set()
    assert time.monotonic() - started < 1


def test_a_subscription_made_without_a_server_connects_when_the_server_starts(redis_server):
    server = redis_server()
    server.kill()
    with Registry(server.url) as registry, registry.subscribe() as changes:
        assert changes.wait(0.1) == set()

        server.start()
        changes.wait(0.1)
        publish_version(registry, 1)

        assert changes.wait(5) == {"flights"}


def test_closing_ends_a_wait_in_another_thread(registry):
    changes = registry.subscribe()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(changes.wait, 60)
        started = time.monotonic()

        changes.close()

        assert waiting.result() == set()
    assert time.monotonic() - started < 2
