"""What a new user sees when something is missing: one sentence that says what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(*argv, cwd=ROOT, **environment):
    """Run a command in an environment without settings of modstream."""
    base = {k: v for k, v in os.environ.items() if not k.startswith(("MODSTREAM_", "COVERAGE_"))}
    return subprocess.run(
        argv,
        cwd=cwd,
        env=base | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def assert_error(done, *words):
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


def test_without_the_packages_the_error_names_the_virtual_environment():
    assert_error(
        run(sys.executable, "-S", "-m", "modstream", "demo"), "is not installed", "make demo"
    )


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_make_with_an_unsuitable_python_names_the_supported_versions(tmp_path, python):
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())

    assert_error(run("make", f"PYTHON={python}", "demo", cwd=tmp_path), "Python 3.11 to 3.14")


@pytest.mark.slow
def test_make_without_a_package_registry_names_the_problem(tmp_path):
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    unreachable = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }

    assert_error(run("make", "demo", cwd=tmp_path, **unreachable), "reach the package registry")


def test_the_error_for_a_used_port_names_its_owner(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run(sys.executable, "-m", "modstream", "up", "--kafka-port", str(port), cwd=tmp_path)

    assert_error(done, f"port {port} is taken by", "0 chooses a free one")


def test_the_error_for_missing_jars_says_what_to_do(tmp_path):
    """The empty home has no cache, and the proxies are unreachable."""
    settings = tmp_path / ".m2" / "settings.xml"
    settings.parent.mkdir()
    settings.write_text("<settings/>")
    unreachable = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}

    done = run(
        sys.executable, "-m", "modstream", "up", cwd=tmp_path, HOME=str(tmp_path), **unreachable
    )

    assert_error(done, "the jars of org.apache.kafka", "reach the Maven registry")
