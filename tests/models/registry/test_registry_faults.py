import socket
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import redis

from modstream.models.errors import RegistryUnavailable
from modstream.models.registry.keys import Keys
from modstream.models.registry.registry import Registry, RegistrySettings
from modstream.stack.embedded import EmbeddedRedis
from tests.models.version_specs import artifacts, draft, publish

pytestmark = pytest.mark.real


def test_two_publishers_lose_no_version_and_share_none(registry):
    def run(publisher: int) -> list[int]:
        return [publish(registry, publisher * 1000 + number) for number in range(20)]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, (1, 2))

    assert sorted(first + second) == list(range(1, 41))
    offsets = {card.offsets["flights.feedback:0"] for card in registry.versions("flights")}
    assert offsets == {who * 1000 + number for who in (1, 2) for number in range(20)}


def test_moves_by_several_hands_form_one_chain(registry):
    for number in range(3):
        publish(registry, number)

    def promote(version: int) -> None:
        for _ in range(10):
            registry.promote("flights", version)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(promote, (1, 2, 3)))

    history = registry.history("flights")
    assert len(history) > 3
    assert all(later.old == earlier.new for earlier, later in pairwise(history))
    assert history[-1].new == registry.resolve("flights")


def test_a_writer_that_always_loses_gives_up_in_the_end(registry, client, redis_url, prefix):
    publish(registry, 1)
    latest = Keys(prefix).latest("flights")
    settings = RegistrySettings(prefix=prefix, patience=0.2)

    def disturbed(change):
        client.set(latest, "1")
        change.pipe.multi()
        change.pipe.echo("never reached")

    with (
        Registry(redis_url, settings) as patient,
        pytest.raises(RegistryUnavailable, match="other writers"),
    ):
        patient._change("flights", "", disturbed)


def test_a_server_that_is_down_is_unavailable_at_once(tmp_path):
    registry = Registry(EmbeddedRedis(tmp_path).url)

    began = time.monotonic()
    with pytest.raises(RegistryUnavailable) as caught:
        registry.card("flights")

    assert time.monotonic() - began < 1
    assert isinstance(caught.value.__cause__, redis.RedisError)


def test_a_server_that_never_answers_is_unavailable_within_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with Registry(url, RegistrySettings(timeout=0.2)) as registry:
            began = time.monotonic()
            with pytest.raises(RegistryUnavailable):
                registry.publish(draft(), b"model")

    assert time.monotonic() - began < 2


def test_a_server_killed_while_publishing_leaves_nothing_half_done(redis_server):
    server = redis_server()
    with Registry(server.url, RegistrySettings(keep=2)) as registry:
        for number in range(3):
            publish(registry, number)

        def run() -> int:
            number = 3
            while True:
                try:
                    publish(registry, number)
                except RegistryUnavailable:
                    return number
                number += 1

        with ThreadPoolExecutor(1) as pool:
            interrupted = pool.submit(run)
            time.sleep(0.3)
            server.kill()
            lost = interrupted.result()
        server.start()
        repeated = publish(registry, lost)

        versions = [card.version for card in registry.versions("flights")]
        assert repeated == lost + 1
        assert versions == list(range(1, lost + 2))
        assert registry.resolve("flights") == repeated
        assert artifacts(registry) == versions[-2:]
        assert [entry.new for entry in registry.history("flights")][-1] == repeated
