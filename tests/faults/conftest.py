"""A scene for each scenario, and the closing table at the end of the run."""

import os
from pathlib import Path

import pytest

from modstream.process.supervisor import Supervisor
from modstream.settings import load_settings
from tests.faults.cluster import Cluster
from tests.faults.harness import SMALL_BATCHES, SOON, Scene
from tests.faults.summary import ClosingTable

TABLE = pytest.StashKey[ClosingTable]()


LONGEST = 600
"""Seconds that a scenario may take, times `--times`."""


def pytest_collection_modifyitems(config, items):
    limit = pytest.mark.timeout(LONGEST * config.getoption("--times"))
    for item in items:
        if item.get_closest_marker("fault") is not None:
            item.add_marker(limit)


def pytest_sessionfinish(session):
    """A process that runs a part of the suite hands its table on to the one that prints."""
    table = session.config.stash.get(TABLE, None)
    if table is not None and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = table.rows, table.notes


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    rows, notes = getattr(node, "workeroutput", {}).get("faults", ((), ()))
    table = node.config.stash.setdefault(TABLE, ClosingTable())
    table.rows.extend(rows)
    table.notes.extend(notes)


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash.get(TABLE, None)
    if table is not None and (table.rows or table.notes):
        terminalreporter.section(f"faults, seed {config.getoption('--seed')}")
        for line in table.lines():
            terminalreporter.line(line)


@pytest.fixture
def table(pytestconfig):
    return pytestconfig.stash.setdefault(TABLE, ClosingTable())


@pytest.fixture
def quiet_environment(tmp_path, monkeypatch):
    """No settings but the test's own, here and in the processes that it starts."""
    for name in [name for name in os.environ if name.startswith("MODSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Three brokers behind proxies; a module whose scenes shall run on it names its bootstrap."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path, quiet_environment):
    return load_settings(
        bootstrap=bootstrap,
        redis=redis_url,
        prefix=prefix,
        stream="echoes",
        route=("verify-echo",),
        home=tmp_path,
        batch=SMALL_BATCHES,
    )


@pytest.fixture
def scene(settings, tmp_path, table, pytestconfig):
    with Supervisor(tmp_path, SOON) as supervisor:
        yield Scene(
            settings,
            supervisor,
            tmp_path,
            table,
            pytestconfig.getoption("--times"),
            pytestconfig.getoption("--seed"),
        )
