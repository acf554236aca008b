"""Real servers for the tests: those that the environment names, else our own.

A server that does not come up fails the tests that need it; nothing is skipped.
"""

import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from modstream.stack.embedded import EmbeddedKafka, EmbeddedRedis, Recipe, Server

# Coverage is measured in the test processes alone, not in what they start, too.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
        del os.environ[name]

# The machines are shared: how long an example takes says nothing about it.
settings.register_profile("modstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("modstream")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the fault suite; they stand here because only this file is read in time."""
    parser.addoption("--times", type=int, default=1, help="multiply the sizes of the faults")
    parser.addoption(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the faults"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long ones first: what is left at the end shall be short, for all processes."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Kafka that all tests share: MODSTREAM_BOOTSTRAP, else an embedded one."""
    named = os.environ.get("MODSTREAM_BOOTSTRAP")
    yield from [named] if named else _serve(EmbeddedKafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Redis that all tests share: MODSTREAM_REDIS, else an embedded one."""
    named = os.environ.get("MODSTREAM_REDIS")
    yield from [named] if named else _serve(EmbeddedRedis(tmp_path_factory.mktemp("redis")))


@pytest.fixture
def prefix() -> str:
    """Begin the names of a test's own topics and keys, so that tests share servers in peace."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture
def kafka_server(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start Kafkas of a test's own, free to kill; each call starts one in a new folder."""
    with ExitStack() as started:
        yield lambda: _own(started, EmbeddedKafka(_new_folder(tmp_path, "kafka")))


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start Redis servers of a test's own, free to kill; each call starts one in a new folder."""
    with ExitStack() as started:
        yield lambda: _own(started, EmbeddedRedis(_new_folder(tmp_path, "redis")))


def _serve(recipe: Recipe) -> Iterator[str]:
    with Server(recipe) as server:
        yield server.url


def _own(started: ExitStack, recipe: Recipe) -> Server:
    server = Server(recipe).start()
    started.callback(server.kill)
    return server


def _new_folder(parent: Path, kind: str) -> Path:
    return parent / f"{kind}-{uuid.uuid4().hex[:8]}"
