"""What a new user meets when something is missing: one sentence with the way out."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*argv, cwd=ROOT, **environment):
    """Run a command in an environment without settings of ours."""
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


def says(done, *words):
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


def test_a_python_without_the_packages_is_told_about_the_virtual_environment():
    says(run(sys.executable, "-S", "-m", "modstream", "demo"), "is not installed", "make demo")


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_make_with_a_python_that_does_not_do_says_which_ones_do(tmp_path, python):
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())

    says(run("make", f"PYTHON={python}", "demo", cwd=tmp_path), "Python 3.11 to 3.14")


def test_make_without_a_package_registry_says_so(tmp_path):
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }

    says(run("make", "demo", cwd=tmp_path, **nowhere), "reach the package registry")


def test_a_port_that_is_taken_is_named_with_its_owner(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run(sys.executable, "-m", "modstream", "up", "--kafka-port", str(port), cwd=tmp_path)

    says(done, f"port {port} is taken by", "0 chooses a free one")


def test_jars_that_cannot_be_had_are_told_with_the_way_out(tmp_path):
    """An empty home has no cache, and the Maven settings point nowhere."""
    settings = tmp_path / ".m2" / "settings.xml"
    settings.parent.mkdir()
    settings.write_text("<settings/>")
    nowhere = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}

    done = run(sys.executable, "-m", "modstream", "up", cwd=tmp_path, HOME=str(tmp_path), **nowhere)

    says(done, "the jars of org.apache.kafka", "reach the Maven registry")
