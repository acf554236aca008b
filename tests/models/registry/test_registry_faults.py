import socket
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import redis

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.stack.embedded import EmbeddedRedis
from tests.models.version_specs import publish_version, version_spec, versions_with_artifact

pytestmark = pytest.mark.real


def test_two_concurrent_publishers_get_distinct_consecutive_versions(registry):
    def publish_many(publisher: int) -> list[int]:
        return [publish_version(registry, publisher * 1000 + number) for number in range(20)]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(publish_many, (1, 2))

    assert sorted(first + second) == list(range(1, 41))
    offsets = {card.offsets["flights.feedback:0"] for card in registry.versions("flights")}
    assert offsets == {publisher * 1000 + number for publisher in (1, 2) for number in range(20)}


def test_concurrent_moves_form_one_chain(registry):
    for number in range(3):
        publish_version(registry, number)

    def promote(version: int) -> None:
        for _ in range(10):
            registry.promote("flights", version)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(promote, (1, 2, 3)))

    history = registry.history("flights")
    assert len(history) > 3
    assert all(later.old == earlier.new for earlier, later in pairwise(history))
    assert history[-1].new == registry.resolve("flights")


def test_a_writer_that_always_loses_gives_up_after_its_timeout(registry, client, redis_url, prefix):
    publish_version(registry, 1)
    latest = RegistryKeys(prefix).latest("flights")
    settings = RegistrySettings(prefix=prefix, write_timeout_seconds=0.2)

    def conflicting(transaction):
        client.set(latest, "1")
        transaction.pipeline.multi()
        transaction.pipeline.echo("not reached")

    with (
        Registry(redis_url, settings) as writer,
        pytest.raises(RegistryUnavailable, match="other writers"),
    ):
        writer._transact("flights", "", conflicting)


def test_an_unreachable_server_is_reported_at_once(tmp_path):
    registry = Registry(EmbeddedRedis(tmp_path).url)

    began = time.monotonic()
    with pytest.raises(RegistryUnavailable) as caught:
        registry.card("flights")

    assert time.monotonic() - began < 1
    assert isinstance(caught.value.__cause__, redis.RedisError)


def test_a_server_that_never_replies_is_reported_within_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with Registry(url, RegistrySettings(timeout_seconds=0.2)) as registry:
            began = time.monotonic()
            with pytest.raises(RegistryUnavailable):
                registry.publish(version_spec(), b"model")

    assert time.monotonic() - began < 2


def test_a_server_killed_during_a_publication_leaves_no_partial_version(redis_server):
    server = redis_server()
    with Registry(server.url, RegistrySettings(keep_artifacts=2)) as registry:
        for number in range(3):
            publish_version(registry, number)

        def publish_until_failure() -> int:
            number = 3
            while True:
                try:
                    publish_version(registry, number)
                except RegistryUnavailable:
                    return number
                number += 1

        with ThreadPoolExecutor(1) as pool:
            interrupted = pool.submit(publish_until_failure)
            time.sleep(0.3)
            server.kill()
            lost = interrupted.result()
        server.start()
        repeated = publish_version(registry, lost)

        versions = [card.version for card in registry.versions("flights")]
        assert repeated == lost + 1
        assert versions == list(range(1, lost + 2))
        assert registry.resolve("flights") == repeated
        assert versions_with_artifact(registry) == versions[-2:]
        assert [entry.new for entry in registry.history("flights")][-1] == repeated
