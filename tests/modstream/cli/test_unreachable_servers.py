"""Without servers, each command says within seconds what does not answer, and what to do."""

import os
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path
from time import monotonic

import pytest
import structlog

from modstream.cli import main
from modstream.cli.servers import find_streams, redis_address

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
MAX_SECONDS = 3.0
KAFKA_SENTENCE = (
    "modstream: no Kafka broker answers at 127.0.0.1:1 (connection refused): start one with"
    " `modstream up`, or set MODSTREAM_BOOTSTRAP to the address of a running one\n"
)
REDIS_SENTENCE = (
    "modstream: the model registry is not available, as no Redis answers at 127.0.0.1:1 (connection"
    " refused): start one with `modstream up`, or set MODSTREAM_REDIS to the URL of a running one\n"
)
KAFKA_COMMANDS = [
    *(["topics", "create"], ["topics", "list"], ["topics", "lag"], ["consume"], ["produce"]),
    *(["load"], ["verify"], ["trace", "x"], ["versions"], ["backtest"], ["train"]),
    *(["dlq", "list"], ["dlq", "show", "x"], ["dlq", "redrive"]),
    *(["quarantine", "list"], ["quarantine", "show", "x"], ["quarantine", "release"]),
    *(["models", "publish", "m", __file__], ["models", "seed"], ["models", "restore"]),
    *(["models", "promote", "m", "1"], ["models", "rollback", "m"]),
    ["models", "show", "m", "--decisions"],
]
REDIS_COMMANDS = [["models", "list"], ["models", "show", "m"]]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A home directory, and no server at the configured addresses."""
    for name in [name for name in os.environ if name.startswith("MODSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MODSTREAM_REDIS", "redis://127.0.0.1:1/0")


@pytest.fixture
def run(monkeypatch):
    """Run a command in this process, which has imported its libraries; return what it printed."""
    before = structlog.get_config()

    def run(*arguments):
        stderr = StringIO()
        monkeypatch.setattr(sys, "argv", ["modstream", *arguments])
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(sys, "stdin", StringIO('{"x": 1}\n'))
        start = monotonic()
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 1
        return stderr.getvalue(), monotonic() - start

    yield run
    structlog.configure(**before)


@pytest.fixture
def silent_port():
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("command", KAFKA_COMMANDS, ids=" ".join)
def test_a_command_that_needs_kafka_says_that_no_broker_answers(run, command):
    printed, seconds = run(*command)

    assert printed == KAFKA_SENTENCE
    assert seconds < MAX_SECONDS


@pytest.mark.parametrize("command", REDIS_COMMANDS, ids=" ".join)
def test_a_command_that_needs_redis_says_that_it_does_not_answer(run, command):
    printed, seconds = run(*command)

    assert printed == REDIS_SENTENCE
    assert seconds < MAX_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("command", [["produce"], ["train"]], ids=" ".join)
def test_nothing_else_is_printed_in_a_process_of_its_own(command):
    done = subprocess.run(
        [sys.executable, "-m", "modstream", *command],
        input='{"x": 1}\n',
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, "", KAFKA_SENTENCE)


def test_a_server_that_accepts_connections_and_does_not_answer_is_given_up(
    run, monkeypatch, silent_port
):
    monkeypatch.setenv("MODSTREAM_CONNECT_TIMEOUT", "0.5")
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", f"127.0.0.1:{silent_port}")
    monkeypatch.setenv("MODSTREAM_REDIS", f"redis://user:secret@127.0.0.1:{silent_port}")

    kafka, kafka_seconds = run("topics", "list")
    redis, redis_seconds = run("models", "list")

    waited = "(no answer within 0.5 s, MODSTREAM_CONNECT_TIMEOUT)"
    assert f"no Kafka broker answers at 127.0.0.1:{silent_port} {waited}" in kafka
    assert f"no Redis answers at 127.0.0.1:{silent_port} {waited}" in redis
    assert "secret" not in redis
    assert max(kafka_seconds, redis_seconds) < MAX_SECONDS


def test_a_host_that_does_not_exist_is_the_reason(run, monkeypatch):
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", "no-such-host.invalid:9092")
    monkeypatch.setenv("MODSTREAM_REDIS", "redis://no-such-host.invalid")

    assert "(Failed to resolve 'no-such-host.invalid:9092': " in run("topics", "list")[0]
    assert "no Redis answers at no-such-host.invalid (" in run("models", "list")[0]


def test_an_option_that_librdkafka_does_not_know_is_named(run, monkeypatch):
    monkeypatch.setenv("MODSTREAM_KAFKA", '{"sasl.mechanim": "PLAIN"}')

    printed, _ = run("topics", "list")

    assert "refuses its options (setting `kafka`)" in printed
    assert "sasl.mechanim" in printed


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://user:secret@redis:6379/0", "redis:6379"),
        ("rediss://redis", "redis"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
    ],
)
def test_the_address_of_redis_has_no_credentials(url, address):
    assert redis_address(url) == address


def test_the_streams_of_an_installation_are_found_by_their_topics_of_requests():
    names = frozenset({"a.flights.requests", "a.flights.labels", "b.iris.requests", "a.requests"})

    assert find_streams("a.", names) == {"flights"}
    assert find_streams("b.", names) == {"iris"}
