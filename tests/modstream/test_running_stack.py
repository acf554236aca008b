"""The lock of a home directory, and the stack that other commands find there."""

import json
import os
import subprocess
import sys

import pytest

from modstream.errors import HomeUnusable, StackRunning
from modstream.running_stack import RUNNING_STACK_FILE, lock_home, read_running_stack

STACK = {"bootstrap": "127.0.0.1:1", "redis": "redis://127.0.0.1:2/0", "stream": "iris"}
OWNER = f"""
import sys
from pathlib import Path
from modstream.running_stack import lock_home

with lock_home(Path(sys.argv[1])) as lock, lock.advertise({STACK!r}):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path):
    """A process whose stack runs from the home directory."""
    argv = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def test_a_second_stack_is_refused_with_what_runs_and_how_to_join_it(owner, tmp_path):
    with pytest.raises(StackRunning) as caught, lock_home(tmp_path):
        pass

    text = str(caught.value)
    assert f"(pid {owner.pid}) runs from {tmp_path} already" in text
    assert "MODSTREAM_BOOTSTRAP=127.0.0.1:1 MODSTREAM_REDIS=redis://127.0.0.1:2/0" in text
    assert "commands in the same directory find it by themselves" in text
    assert read_running_stack(tmp_path) == STACK


def test_what_a_killed_stack_has_left_misleads_no_command(owner, tmp_path):
    owner.kill()
    owner.wait()

    assert json.loads((tmp_path / RUNNING_STACK_FILE).read_text())["pid"] == owner.pid
    assert read_running_stack(tmp_path) == {}
    with lock_home(tmp_path):
        assert read_running_stack(tmp_path) == {}, "the new stack has no addresses yet"


def test_a_stack_with_the_id_of_a_live_process_is_ignored_without_its_lock(tmp_path):
    (tmp_path / RUNNING_STACK_FILE).write_text(json.dumps({**STACK, "pid": os.getpid()}))

    assert read_running_stack(tmp_path) == {}


def test_a_stack_is_found_while_it_is_advertised(tmp_path):
    with lock_home(tmp_path / "home") as lock:
        with lock.advertise({**STACK, "signing_key": None}):
            assert read_running_stack(tmp_path / "home") == STACK
        assert read_running_stack(tmp_path / "home") == {}


def test_a_home_that_cannot_be_written_is_named_with_the_setting(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(HomeUnusable, match="set MODSTREAM_HOME"), lock_home(tmp_path / "file"):
        pass
