"""The embedded servers as real processes that are really killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from modstream.errors import PortInUse, ServerExited, ServerNotReady
from modstream.locks import find_holder, hold_lock
from modstream.stack.embedded import (
    EmbeddedKafka,
    EmbeddedRedis,
    EmbeddedServer,
    EmbeddedServers,
    ports,
)

ROOT = Path(__file__).parents[4]
PARENT = """
import sys, threading
from pathlib import Path
from modstream.stack.embedded import EmbeddedRedis, EmbeddedServer
from modstream.process.supervisor import Command, Supervisor

folder = Path(sys.argv[1])
server, supervisor = EmbeddedServer(EmbeddedRedis(folder)), Supervisor(folder)
starter = threading.Thread(target=server.start)
starter.start()
starter.join()
supervisor.start(Command("sleeper", ("sleep", "600")))
supervisor.wait_for(lambda statuses: statuses[0].pid is not None)
print(server.pid, supervisor.status()[0].pid, flush=True)
threading.Event().wait()
"""

pytestmark = pytest.mark.real


def ask_redis(port, *words):
    """Send one command over a plain socket and return the first line of the response."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        lines = connection.recv(1024).decode().split("\r\n")
    return lines[1] if lines[0].startswith("$") and lines[0] != "$-1" else lines[0]


async def write_and_commit(bootstrap, topic, value):
    """Create a topic and write one record into it in a transaction."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    async with producer, producer.transaction():
        await producer.send_and_wait(topic, value)


async def read_first(bootstrap, topic):
    """Return the value of the first committed record of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return (await asyncio.wait_for(consumer.getone(), 30)).value
    finally:
        await consumer.stop()


def test_kafka_keeps_a_committed_record_after_a_kill_and_a_restart(kafka_server):
    kafka = kafka_server()
    first_pid, url = kafka.pid, kafka.url
    asyncio.run(write_and_commit(url, "kept", b"still here"))

    kafka.kill()
    assert kafka.pid is None
    kafka.start()

    assert kafka.pid != first_pid
    assert kafka.url == url
    assert asyncio.run(read_first(url, "kept")) == b"still here"


def test_later_servers_on_other_ports_find_the_data_of_earlier_ones(tmp_path):
    folder = tmp_path / "données du modèle"
    with EmbeddedServers(folder) as earlier:
        asyncio.run(write_and_commit(earlier.bootstrap, "kept", b"still here"))
        assert ask_redis(earlier.redis.spec.port, "SET", "champion", "7") == "+OK"

    with EmbeddedServers(folder) as later:
        assert later.bootstrap != earlier.bootstrap
        assert later.redis_url != earlier.redis_url
        assert asyncio.run(read_first(later.bootstrap, "kept")) == b"still here"
        assert ask_redis(later.redis.spec.port, "GET", "champion") == "7"

    assert later.kafka.pid is None
    assert later.redis.pid is None


def test_a_server_holds_the_lock_that_it_inherits_until_it_ends(tmp_path):
    with hold_lock(tmp_path / "lock") as lock:
        server = EmbeddedServer(EmbeddedRedis(tmp_path / "redis"), lock).start()
    try:
        assert find_holder(tmp_path / "lock") is not None, "Redis runs"
    finally:
        server.stop()

    assert find_holder(tmp_path / "lock") is None


def test_redis_loses_no_acknowledged_write_when_it_is_killed(redis_server):
    redis = redis_server()
    assert ask_redis(redis.spec.port, "SET", "champion", "7") == "+OK"

    redis.kill()
    redis.start()

    assert ask_redis(redis.spec.port, "GET", "champion") == "7"


def test_redis_stops_normally_within_the_timeout(redis_server):
    redis = redis_server()

    redis.stop()

    assert redis.pid is None
    assert "bye bye" in redis.log.read_text()


@pytest.mark.parametrize("spec", [EmbeddedKafka, EmbeddedRedis])
def test_port_in_use_is_reported_with_its_owner(spec, tmp_path):
    with socket.create_server(("127.0.0.1", ports.free_port())) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortInUse, match=rf"port {port} is taken by .*pid {os.getpid()}"):
            EmbeddedServer(spec(tmp_path, port)).start()


def test_error_of_a_kafka_that_exits_at_start_holds_the_reason_from_its_log(tmp_path):
    kafka = EmbeddedServer(EmbeddedKafka(tmp_path))
    kafka.spec.prepare()
    identity = tmp_path / "data" / "meta.properties"
    identity.write_text(identity.read_text().replace("node.id=1", "node.id=2"))

    with pytest.raises(ServerExited) as exited:
        kafka.start()

    assert "node id" in exited.value.tail
    assert "\tat " not in exited.value.tail
    assert kafka.pid is None


def test_kafka_storage_that_cannot_be_formatted_is_reported(tmp_path):
    (tmp_path / "data").write_text("a file instead of the folder")

    with pytest.raises(ServerExited, match="storage tool"):
        EmbeddedServer(EmbeddedKafka(tmp_path)).start()


def test_error_of_a_redis_that_exits_at_start_holds_only_the_log_of_this_start(tmp_path):
    redis = EmbeddedServer(EmbeddedRedis(tmp_path))
    redis.log.write_text("the log of an earlier start\n")
    (tmp_path / "appendonlydir").write_text("a file instead of the folder")

    with pytest.raises(ServerExited) as exited:
        redis.start()

    assert exited.value.exit_code == 1
    assert "appendonlydir" in exited.value.tail
    assert "earlier start" not in exited.value.tail


def test_server_that_runs_but_does_not_answer_is_not_ready(tmp_path):
    redis = EmbeddedServer(EmbeddedRedis(tmp_path))
    redis.launch()
    redis.wait_ready()
    os.kill(redis.pid, signal.SIGSTOP)

    with pytest.raises(ServerNotReady, match="did not answer within 0 s"):
        redis.wait_ready(timeout_seconds=0.0)

    redis.kill()
    assert redis.pid is None


def test_no_child_outlives_a_parent_that_is_killed(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with parent:
        orphans = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        names = [orphan.name() for orphan in orphans]

        parent.kill()
        _gone, alive = psutil.wait_procs(orphans, timeout=10)

    assert "sleep" in names
    assert alive == []


def test_server_outlives_the_thread_that_started_it(tmp_path):
    redis = EmbeddedServer(EmbeddedRedis(tmp_path))
    starter = threading.Thread(target=redis.start)
    starter.start()
    starter.join()

    assert ask_redis(redis.spec.port, "PING") == "+PONG"

    redis.stop()
