import math
import time

import pytest
from structlog.testing import capture_logs

from modstream.models.errors import HashMismatch, UnreadableArtifact, UntrustedModel
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import SigningKey, Trust
from modstream.models.serving.model_cache import ModelCache
from modstream.models.serving.settings import ModelCacheSettings
from tests.models.constant_model import (
    constant_artifact,
    constant_spec,
    publish_constant,
    served_constant,
)
from tests.models.timing import ManualClock, eventually

pytestmark = pytest.mark.real


def garbage(registry, client, prefix):
    registry.publish(constant_spec("flights", 2), b"not a model")


def another_hash(registry, client, prefix):
    card = publish_constant(registry, 2, alias=None)
    client.set(RegistryKeys(prefix).artifact("flights", card.sha256), constant_artifact(3))
    registry.promote("flights", card.version)


def not_finite(registry, client, prefix):
    publish_constant(registry, math.nan)


def unknown_runtime(registry, client, prefix):
    registry.publish(constant_spec("flights", 2, runtime="prolog"), constant_artifact(2))


def too_large(registry, client, prefix):
    registry.publish(constant_spec("flights", 2), bytes(2_000_000))


REASONS = {
    garbage: "cannot be read",
    another_hash: "but its card has",
    not_finite: "fails its warm-up: its output is NaN",
    unknown_runtime: "runtime 'prolog' is not available",
    too_large: "2,000,000 bytes",
}


@pytest.mark.parametrize("spoil", REASONS, ids=lambda spoil: spoil.__name__)
def test_the_old_version_serves_while_the_new_one_is_bad(registry, client, prefix, trust, spoil):
    publish_constant(registry, 1)
    settings = ModelCacheSettings(poll_seconds=0.1, max_bytes=1_000_000)
    with capture_logs() as logs, ModelCache(registry, trust, settings) as cache:
        cache.get("flights")

        spoil(registry, client, prefix)

        assert eventually(lambda: ("flights", 2) in cache.rejections)
        assert REASONS[spoil] in cache.rejections["flights", 2]
        assert served_constant(cache.get("flights")) == 1
        publish_constant(registry, 3)
        assert eventually(lambda: served_constant(cache.get("flights")) == 3)

    assert [entry["event"] for entry in logs] == ["model rejected", "model swapped"]


def test_an_unsigned_version_is_rejected(redis_url, prefix):
    key = SigningKey.generate()
    settings = RegistrySettings(prefix=prefix)
    with Registry(redis_url, settings, key) as signing, Registry(redis_url, settings) as forging:
        publish_constant(signing, 1)
        cache = ModelCache(signing, Trust([key.public_key]))
        cache.get("flights")

        publish_constant(forging, 2)
        cache.refresh()

        assert served_constant(cache.get("flights")) == 1
        assert "not trusted" in cache.rejections["flights", 2]
        with pytest.raises(UntrustedModel):
            cache.get("flights", 2)


def test_a_rejected_version_is_not_fetched_again_before_its_time(registry, client, prefix, trust):
    clock = ManualClock()
    cache = ModelCache(registry, trust, ModelCacheSettings(rejected_ttl_seconds=30), clock)
    card = publish_constant(registry, 1)
    key = RegistryKeys(prefix).artifact("flights", card.sha256)
    client.set(key, b"damaged")
    with pytest.raises(HashMismatch):
        cache.get("flights")
    client.set(key, constant_artifact(1))

    with pytest.raises(HashMismatch):
        cache.get("flights")
    clock.now += 31

    assert served_constant(cache.get("flights")) == 1
    assert cache.rejections == {}


def test_a_model_without_a_good_version_raises_the_reason(registry, trust):
    registry.publish(constant_spec("flights", 1), b"not a model")

    with pytest.raises(UnreadableArtifact, match="cannot be read"):
        ModelCache(registry, trust).get("flights")


def test_loaded_models_are_served_without_the_registry(redis_server, trust):
    server = redis_server()
    with Registry(server.url) as registry:
        publish_constant(registry, 1)
        cache = ModelCache(registry, trust)
        cache.get("flights")
        server.kill()

        began = time.monotonic()
        numbers = {served_constant(cache.get("flights")) for _ in range(1000)}

        assert numbers == {1}
        assert time.monotonic() - began < 2
        with pytest.raises(RegistryUnavailable):
            cache.get("weather")


def test_models_are_served_and_refreshed_across_restarts_of_redis(redis_server, trust):
    server = redis_server()
    with (
        Registry(server.url) as registry,
        capture_logs() as logs,
        ModelCache(registry, trust, ModelCacheSettings(poll_seconds=0.2)) as cache,
    ):
        publish_constant(registry, 1)
        cache.get("flights")
        for number in (2, 3):
            server.kill()
            assert eventually(lambda: cache._refresher.is_registry_down)
            assert served_constant(cache.get("flights")) == number - 1
            server.start()
            publish_constant(registry, number)

            assert eventually(
                lambda now=number: served_constant(cache.get("flights")) == now, seconds=2
            )

    events = [entry["event"] for entry in logs if entry["event"] != "model swapped"]
    assert (
        events
        == [
            "registry unavailable, serving the loaded models",
            "registry available again",
        ]
        * 2
    )


def test_a_wiped_registry_does_not_end_serving_and_new_versions_are_found(
    registry, client, prefix, trust
):
    publish_constant(registry, 1)
    with ModelCache(registry, trust, ModelCacheSettings(poll_seconds=0.1)) as cache:
        cache.get("flights")
        client.delete(*client.scan_iter(f"{prefix}*"))

        assert eventually(lambda: ("flights", "champion") in cache.rejections)
        assert served_constant(cache.get("flights")) == 1
        publish_constant(registry, 7)

        assert eventually(lambda: served_constant(cache.get("flights")) == 7)
        assert cache.get("flights").card.version == 1
        assert eventually(lambda: cache.rejections == {})


def test_an_unexpected_error_while_refreshing_does_not_end_the_thread(registry):
    class FailingTrust:
        """A trust whose second check raises an unexpected error."""

        calls, is_unrestricted = 0, True

        def verify(self, card):
            self.calls += 1
            if self.calls == 2:
                raise ZeroDivisionError

    publish_constant(registry, 1)
    with (
        capture_logs() as logs,
        ModelCache(registry, FailingTrust(), ModelCacheSettings(poll_seconds=0.1)) as cache,
    ):
        cache.get("flights")

        publish_constant(registry, 2)

        assert eventually(lambda: served_constant(cache.get("flights")) == 2)
    assert [entry["event"] for entry in logs] == [
        "loading a model failed",
        "model swapped",
    ]
