"""A harness for each fault scenario, and the summary table at the end of the run."""

import os
from pathlib import Path

import pytest

from modstream.process.supervisor import Supervisor
from modstream.settings import load_settings
from tests.faults.cluster import Cluster
from tests.faults.harness import QUICK_BACKOFF, SMALL_BATCHES, FaultHarness
from tests.faults.summary import SummaryTable

TABLE = pytest.StashKey[SummaryTable]()


SCENARIO_TIMEOUT_SECONDS = 600
"""Timeout of a scenario, multiplied by `--times`."""


def pytest_collection_modifyitems(config, items):
    limit = pytest.mark.timeout(SCENARIO_TIMEOUT_SECONDS * config.getoption("--times"))
    for item in items:
        if item.get_closest_marker("fault") is not None:
            item.add_marker(limit)


def pytest_sessionfinish(session):
    """Pass the table of a worker process of pytest-xdist to the process that prints it."""
    table = session.config.stash.get(TABLE, None)
    if table is not None and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = table.rows, table.notes


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    rows, notes = getattr(node, "workeroutput", {}).get("faults", ((), ()))
    table = node.config.stash.setdefault(TABLE, SummaryTable())
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
    return pytestconfig.stash.setdefault(TABLE, SummaryTable())


@pytest.fixture
def quiet_environment(tmp_path, monkeypatch):
    """Remove all settings from the environment of this process and its children."""
    for name in [name for name in os.environ if name.startswith("MODSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Three brokers behind proxies. A module that uses them overrides the fixture `bootstrap`."""
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
def harness(settings, tmp_path, table: SummaryTable, pytestconfig):
    with Supervisor(tmp_path, QUICK_BACKOFF) as supervisor:
        yield FaultHarness(
            settings,
            supervisor,
            tmp_path,
            table,
            pytestconfig.getoption("--times"),
            pytestconfig.getoption("--seed"),
        )
