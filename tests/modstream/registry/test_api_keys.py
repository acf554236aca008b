"""API keys in Redis, and in a file if the settings name one."""

import pytest
import redis
from structlog.testing import capture_logs

from modstream.producers.gateway.security.api_key import create_key
from modstream.producers.gateway.security.errors import KeyExists, KeysUnreadable
from modstream.producers.gateway.security.key_file import KeyFile
from modstream.producers.gateway.security.known_keys import KnownKeys
from modstream.registry.api_keys import open_key_store
from modstream.settings import Settings


def record(name, created=0):
    return create_key(name, ("read:*",), 2.5, 10**15, created).record


@pytest.fixture
def settings(redis_url, prefix):
    return Settings(redis=redis_url, prefix=prefix)


@pytest.fixture
def store(settings):
    with open_key_store(settings) as store:
        yield store


@pytest.mark.real
def test_keys_are_shared_by_redis_in_the_order_of_their_creation(store, settings):
    keys = [record("z", 1), record("a", 2), record("m", 3)]
    for key in keys:
        store.add(key)

    with open_key_store(settings) as other:
        assert other.read() == tuple(keys)


@pytest.mark.real
def test_a_name_is_given_once_until_it_is_revoked(store):
    store.add(record("web"))
    with pytest.raises(KeyExists):
        store.add(record("web"))

    assert store.remove("web")
    assert not store.remove("web")
    assert store.read() == ()


@pytest.mark.real
def test_damaged_documents_are_left_out_and_logged_once(store, settings):
    store.add(record("web"))
    table = f"{settings.prefix}modstream:api-keys"
    with redis.Redis.from_url(settings.redis) as client:
        client.hset(table, "broken", "{")
        client.hset(table, b"\xff", b"\xff")
        client.hset(table, "stolen", record("other").model_dump_json())

    with capture_logs() as logs:
        found = [store.read() for _ in range(3)]

    assert [[key.name for key in keys] for keys in found] == [["web"]] * 3
    assert sorted(line["name"] for line in logs) == ["broken", "stolen", "\ufffd"]


@pytest.mark.real
def test_another_type_under_the_key_of_redis_is_an_outage(store, settings):
    with redis.Redis.from_url(settings.redis) as client:
        client.set(f"{settings.prefix}modstream:api-keys", "x")

    with pytest.raises(KeysUnreadable, match="WRONGTYPE"):
        store.read()


@pytest.mark.real
def test_the_hash_of_a_key_is_all_that_redis_gets(store, settings):
    new = create_key("web", ("read:*",), None, None, 0)
    store.add(new.record)

    with redis.Redis.from_url(settings.redis) as client:
        stored = client.hgetall(f"{settings.prefix}modstream:api-keys")

    assert new.record.sha256.encode() in stored[b"web"]
    assert new.secret.removeprefix("modstream_").encode() not in stored[b"web"]


def test_redis_that_does_not_answer_is_said():
    with open_key_store(Settings(redis="redis://:canary@127.0.0.1:9/0")) as store:
        for ask in (store.read, lambda: store.add(record("web")), lambda: store.remove("web")):
            with pytest.raises(KeysUnreadable, match="Redis, which has them") as caught:
                ask()
            assert "canary" not in str(caught.value)


def test_a_file_has_the_keys_if_the_settings_name_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MODSTREAM_GATEWAY__API_KEYS", str(tmp_path / "keys.json"))

    with open_key_store(Settings()) as store:
        assert isinstance(store, KeyFile)
        store.add(record("web"))

    assert (tmp_path / "keys.json").exists()


@pytest.mark.real
def test_known_keys_stay_valid_while_redis_is_down(redis_server):
    server = redis_server()
    new = create_key("web", ("read:*",), None, None, 0)
    with open_key_store(Settings(redis=server.url)) as store:
        store.add(new.record)
        keys = KnownKeys(store)
        keys.refresh()

        server.kill()
        keys.refresh()

        assert keys.problem.startswith("Redis")
        assert keys.find(new.secret).caller.name == "web"
