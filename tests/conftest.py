"""Real servers for the tests: those that the environment names, or else embedded ones.

A server that does not start fails the tests that need it; no test is skipped.
"""

import os
import random
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from modstream.stack.embedded import EmbeddedKafka, EmbeddedRedis, EmbeddedServer, ServerSpec
from tests.file_kinds import KINDS, has_kind
from tests.postgres_server import postgres_server

# Coverage is measured in the test processes only, not in the processes that they start.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
        del os.environ[name]

# A shell that runs the tests in the background ignores Ctrl-C; all processes would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SERVERS = {"bootstrap", "redis_url", "postgres_url", "kafka_server", "redis_server"}
"""The fixtures that start servers, which unit tests do without."""

# The machines are shared, so the duration of an example means nothing.
settings.register_profile("modstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("modstream")
# For `make check`; a test with settings of its own keeps its number of examples.
settings.register_profile("quick", settings.get_profile("modstream"), max_examples=25)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of all tests; pytest reads options from this file only."""
    parser.addoption("--kind", choices=KINDS, help="collect only files that have such tests")
    parser.addoption("--times", type=int, default=1, help="factor for the sizes of the fault tests")
    parser.addoption("--zoo", choices=["part", "all"], default="part", help="models of the zoo")
    parser.addoption("--clients", choices=["part", "all"], default="part", help="of the gateway")
    parser.addoption("--records", type=int, default=5_000, help="size of the hostile corpus")
    parser.addoption(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(10**6),
        help="seed of the fault tests and the hostile corpus",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore the files without tests of the kind that is asked for."""
    kind = config.getoption("--kind")
    if kind is None or not collection_path.match("test_*.py"):
        return None
    return None if has_kind(collection_path, kind) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long tests first, so that all processes finish at about the same time."""
    for item in items:
        is_real = any(mark.name in {"real", "journey"} for mark in item.iter_markers())
        if is_real and not has_kind(item.path, "real"):
            raise pytest.UsageError(f"{item.path}: the mark must be in this file or beside it")
        if not is_real and SERVERS & set(getattr(item, "fixturenames", ())):
            raise pytest.UsageError(f"{item.nodeid}: it needs the mark `real`")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Kafka that all tests share: MODSTREAM_BOOTSTRAP, or else an embedded one."""
    address = os.environ.get("MODSTREAM_BOOTSTRAP")
    yield from [address] if address else _serve(EmbeddedKafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Redis that all tests share: MODSTREAM_REDIS, or else an embedded one."""
    address = os.environ.get("MODSTREAM_REDIS")
    yield from [address] if address else _serve(EmbeddedRedis(tmp_path_factory.mktemp("redis")))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL that all tests of a process share."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def prefix() -> str:
    """Prefix of the topics and keys of a test, so that tests can share servers."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture
def kafka_server(tmp_path: Path) -> Iterator[Callable[[], EmbeddedServer]]:
    """Start Kafka servers for one test, which it may kill; each call starts one in a new folder."""
    with ExitStack() as started:
        yield lambda: _own(started, EmbeddedKafka(_new_folder(tmp_path, "kafka")))


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[[], EmbeddedServer]]:
    """Start Redis servers for one test, which it may kill; each call starts one in a new folder."""
    with ExitStack() as started:
        yield lambda: _own(started, EmbeddedRedis(_new_folder(tmp_path, "redis")))


def _serve(recipe: ServerSpec) -> Iterator[str]:
    with EmbeddedServer(recipe) as server:
        yield server.url


def _own(started: ExitStack, recipe: ServerSpec) -> EmbeddedServer:
    server = EmbeddedServer(recipe).start()
    started.callback(server.kill)
    return server


def _new_folder(parent: Path, kind: str) -> Path:
    return parent / f"{kind}-{uuid.uuid4().hex[:8]}"
