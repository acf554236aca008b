"""`modstream up` as a person uses it: started twice, killed, and started again."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.wire.topics import Topics
from modstream.running_stack import read_running_stack
from modstream.stack.embedded import EmbeddedKafka, EmbeddedServer, ports
from tests.journeys.conftest import TIMEOUT_SECONDS

ROOT = Path(__file__).parents[2]
UP = ("up", "--kafka-port", "0", "--redis-port", "0")

pytestmark = [pytest.mark.real, pytest.mark.journey]


@dataclass
class Shell:
    """Commands in one directory, with no settings in the environment."""

    folder: Path
    started: ExitStack

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command in the background; it is killed with the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", "modstream", *arguments],
            cwd=self.folder,
            env=environment() | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.callback(end, process)
        return process

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "modstream", *arguments],
            cwd=self.folder,
            # A broker that was killed a moment ago may answer late on a busy machine.
            env=environment() | {"MODSTREAM_CONNECT_TIMEOUT": "30"},
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    @property
    def home(self) -> Path:
        return self.folder / ".modstream"

    def up(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the stack, and wait until it says where it answers."""
        process = self.start(*(arguments or UP))
        wait_for_line(process, "Ctrl-C stops everything")
        return process

    def publish_model(self) -> None:
        model = LogisticRegression().fit([[0.0, 0.0], [1.0, 1.0]], [False, True])
        joblib.dump(model, self.folder / "model.joblib")
        done = self.run("models", "publish", "flights", "model.joblib", "--trust")
        assert done.returncode == 0, done.stderr

    def ask(self, number: int) -> None:
        """Send requests, and wait until there are so many predictions in all."""
        rows = "".join(f'{{"x0": {n}, "x1": 0}}\n' for n in range(8))
        done = self.run("produce", text=rows)
        assert done.returncode == 0, done.stderr
        connection = Connection(read_running_stack(self.home)["bootstrap"])
        found, deadline = 0, monotonic() + TIMEOUT_SECONDS
        with Reader(connection, ["flights.predictions"]) as reader:
            while found < number:
                assert monotonic() < deadline, f"only {found} predictions"
                found += len(reader.poll())
        assert found == number


def environment() -> dict[str, str]:
    names = ("MODSTREAM_", "COVERAGE_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return clean | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def wait_for_line(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read what a process prints, up to a line that contains the text."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with ExitStack() as started:
        yield Shell(tmp_path, started)


@pytest.mark.long
def test_a_second_stack_is_refused_and_the_data_of_the_first_survive_it_and_a_kill(shell):
    first = shell.up()
    shell.publish_model()
    shell.ask(8)
    stack = read_running_stack(shell.home)
    config = (shell.home / "stack" / "kafka" / "server.properties").read_text()

    for command in (UP, ("demo",)):
        refused = shell.run(*command)
        assert refused.returncode == 1
        assert f"`modstream {' '.join(UP)}` (pid {first.pid}) runs from" in refused.stderr
        assert f"MODSTREAM_BOOTSTRAP={stack['bootstrap']}" in refused.stderr
        assert f"MODSTREAM_REDIS={stack['redis']}" in refused.stderr
    assert (shell.home / "stack" / "kafka" / "server.properties").read_text() == config
    assert not (shell.home / "demo").exists()
    shell.ask(16)

    first.kill()
    first.wait()
    shell.up()

    assert read_running_stack(shell.home)["bootstrap"] != stack["bootstrap"]
    shell.ask(24)


@pytest.mark.long
def test_services_started_by_hand_find_a_stack_that_returns_at_other_ports(shell):
    """The second stack chooses another instance id for its own worker."""
    first = shell.up()
    worker = shell.start("worker", "--instance-id", "1")
    wait_for_line(worker, "waiting for model")
    shell.publish_model()
    wait_for_line(worker, "worker ready")
    joiner = shell.start("joiner")
    wait_for_line(joiner, "joiner starting")
    shell.ask(8)

    first.send_signal(signal.SIGINT)
    assert first.wait(TIMEOUT_SECONDS) == 0
    wait_for_line(worker, "the local stack ended: waiting for the next `modstream up`")
    wait_for_line(joiner, "the local stack ended: waiting for the next `modstream up`")
    shell.up(*UP, "--workers", "2")

    wait_for_line(worker, "worker ready")
    wait_for_line(joiner, "joiner starting")
    shell.ask(16)
    instances = {path.name for path in (shell.home / "slots").glob("flights.worker-*.lock")}
    assert instances == {f"flights.worker-{number}.lock" for number in (0, 1, 2)}
    worker.send_signal(signal.SIGTERM)
    joiner.send_signal(signal.SIGTERM)
    assert worker.wait(TIMEOUT_SECONDS) == joiner.wait(TIMEOUT_SECONDS) == 0


def test_a_service_waits_for_its_broker_and_says_so_once(shell, tmp_path):
    server = EmbeddedServer(EmbeddedKafka(tmp_path / "kafka"))
    settings = {"MODSTREAM_BOOTSTRAP": server.url}
    joiner = shell.start("joiner", **settings)
    waiting = wait_for_line(joiner, f"waiting: no Kafka broker answers at {server.url}")
    with server:
        Admin(Connection(server.url)).create(Topics("flights").specs(4))
        waiting += wait_for_line(joiner, "joiner starting")

    assert len(waiting) == 2, "".join(waiting)


def test_the_usual_ports_are_left_to_the_servers_that_have_them(shell):
    """Other commands need no settings: they find the addresses in the home directory."""
    with ExitStack() as taken:
        for port in (ports.DEFAULT_KAFKA_PORT, ports.DEFAULT_REDIS_PORT):
            if ports.is_free(port):
                taken.enter_context(socket.create_server((ports.HOST, port)))
        shell.up("up")
        stack = read_running_stack(shell.home)
        listed = json.loads(shell.run("topics", "list", "--json").stdout)

    assert str(ports.DEFAULT_KAFKA_PORT) not in stack["bootstrap"]
    assert f":{ports.DEFAULT_REDIS_PORT}/" not in stack["redis"]
    assert "flights.requests" in {row["topic"] for row in listed}


def test_the_usual_port_is_chosen_if_it_is_free():
    free = ports.free_port()

    assert ports.preferred_port(free) == free
    with socket.create_server((ports.HOST, free)):
        assert ports.preferred_port(free) == 0
