import math
import time

import pytest
from structlog.testing import capture_logs

from modstream.models.errors import (
    HashMismatch,
    RegistryUnavailable,
    UnreadableArtifact,
    UntrustedModel,
)
from modstream.models.registry.keys import Keys
from modstream.models.registry.registry import Registry, RegistrySettings
from modstream.models.security.signing import SigningKey, Trust
from modstream.models.serving.model_cache import Shelf, ShelfSettings
from tests.models.constant_model import artifact, biased, number_of, publish
from tests.models.timing import Clock, eventually

pytestmark = pytest.mark.real


def garbage(registry, client, prefix):
    registry.publish(biased("flights", 2), b"not a model")


def another_hash(registry, client, prefix):
    card = publish(registry, 2, alias=None)
    client.set(Keys(prefix).artifact("flights", card.sha256), artifact(3))
    registry.promote("flights", card.version)


def not_finite(registry, client, prefix):
    publish(registry, math.nan)


def unknown_runtime(registry, client, prefix):
    registry.publish(biased("flights", 2, runtime="prolog"), artifact(2))


def too_large(registry, client, prefix):
    registry.publish(biased("flights", 2), bytes(2_000_000))


REASONS = {
    garbage: "cannot be read",
    another_hash: "its card says",
    not_finite: "fails its warm-up: it answers NaN",
    unknown_runtime: "runtime 'prolog' is not available",
    too_large: "2,000,000 bytes",
}


@pytest.mark.parametrize("spoil", REASONS, ids=lambda spoil: spoil.__name__)
def test_the_old_version_serves_on_when_the_new_one_is_bad(registry, client, prefix, trust, spoil):
    publish(registry, 1)
    settings = ShelfSettings(poll_seconds=0.1, max_bytes=1_000_000)
    with capture_logs() as logs, Shelf(registry, trust, settings) as shelf:
        shelf.get("flights")

        spoil(registry, client, prefix)

        assert eventually(lambda: ("flights", 2) in shelf.refusals)
        assert REASONS[spoil] in shelf.refusals["flights", 2]
        assert number_of(shelf.get("flights")) == 1
        publish(registry, 3)
        assert eventually(lambda: number_of(shelf.get("flights")) == 3)

    assert [entry["event"] for entry in logs] == ["model refused", "model swapped"]


def test_a_version_signed_by_nobody_is_refused(redis_url, prefix):
    key = SigningKey.generate()
    settings = RegistrySettings(prefix=prefix)
    with Registry(redis_url, settings, key) as signing, Registry(redis_url, settings) as forging:
        publish(signing, 1)
        shelf = Shelf(signing, Trust([key.public]))
        shelf.get("flights")

        publish(forging, 2)
        shelf.refresh()

        assert number_of(shelf.get("flights")) == 1
        assert "not trusted" in shelf.refusals["flights", 2]
        with pytest.raises(UntrustedModel):
            shelf.get("flights", 2)


def test_a_bad_version_is_not_fetched_again_for_a_while(registry, client, prefix, trust):
    clock = Clock()
    shelf = Shelf(registry, trust, ShelfSettings(refused_seconds=30), clock)
    card = publish(registry, 1)
    key = Keys(prefix).artifact("flights", card.sha256)
    client.set(key, b"damaged")
    with pytest.raises(HashMismatch):
        shelf.get("flights")
    client.set(key, artifact(1))

    with pytest.raises(HashMismatch):
        shelf.get("flights")
    clock.now += 31

    assert number_of(shelf.get("flights")) == 1
    assert shelf.refusals == {}


def test_a_model_that_never_had_a_good_version_raises_why(registry, trust):
    registry.publish(biased("flights", 1), b"not a model")

    with pytest.raises(UnreadableArtifact, match="cannot be read"):
        Shelf(registry, trust).get("flights")


def test_what_is_held_is_served_without_the_registry(redis_server, trust):
    server = redis_server()
    with Registry(server.url) as registry:
        publish(registry, 1)
        shelf = Shelf(registry, trust)
        shelf.get("flights")
        server.kill()

        began = time.monotonic()
        numbers = {number_of(shelf.get("flights")) for _ in range(1000)}

        assert numbers == {1}
        assert time.monotonic() - began < 2
        with pytest.raises(RegistryUnavailable):
            shelf.get("weather")


def test_a_redis_that_dies_and_returns_costs_no_answer_and_no_news(redis_server, trust):
    server = redis_server()
    with (
        Registry(server.url) as registry,
        capture_logs() as logs,
        Shelf(registry, trust, ShelfSettings(poll_seconds=0.2)) as shelf,
    ):
        publish(registry, 1)
        shelf.get("flights")
        for number in (2, 3):
            server.kill()
            assert eventually(lambda: shelf._away)
            assert number_of(shelf.get("flights")) == number - 1
            server.start()
            publish(registry, number)

            assert eventually(lambda now=number: number_of(shelf.get("flights")) == now, seconds=2)

    events = [entry["event"] for entry in logs if entry["event"] != "model swapped"]
    assert events == ["registry away, serving on with what is held", "registry back"] * 2


def test_a_wiped_registry_is_served_on_until_it_is_filled_anew(registry, client, prefix, trust):
    publish(registry, 1)
    with Shelf(registry, trust, ShelfSettings(poll_seconds=0.1)) as shelf:
        shelf.get("flights")
        client.delete(*client.scan_iter(f"{prefix}*"))

        assert eventually(lambda: ("flights", "champion") in shelf.refusals)
        assert number_of(shelf.get("flights")) == 1
        publish(registry, 7)

        assert eventually(lambda: number_of(shelf.get("flights")) == 7)
        assert shelf.get("flights").card.version == 1
        assert eventually(lambda: shelf.refusals == {})


def test_a_bug_while_refreshing_does_not_end_the_refreshing(registry):
    class Moody:
        """A trust that fails in a way nobody foresaw."""

        calls = 0

        def verify(self, card):
            self.calls += 1
            if self.calls == 2:
                raise ZeroDivisionError

    publish(registry, 1)
    with capture_logs() as logs, Shelf(registry, Moody(), ShelfSettings(poll_seconds=0.1)) as shelf:
        shelf.get("flights")

        publish(registry, 2)

        assert eventually(lambda: number_of(shelf.get("flights")) == 2)
    assert [entry["event"] for entry in logs] == ["refreshing the shelf failed", "model swapped"]
