"""Locks are held by live processes and their children, and by nothing that has ended."""

import os
import subprocess
import sys
from contextlib import ExitStack
from threading import Thread

import pytest

from modstream.errors import LockHeld
from modstream.locks import Holder, find_holder, hold_lock

TIMEOUT = 20
HOLDER = """
import subprocess, sys
from pathlib import Path
from modstream.locks import hold_lock

with hold_lock(Path(sys.argv[1])) as descriptor:
    if "child" in sys.argv:
        child = [sys.executable, "-c", "import sys; print('child', flush=True); sys.stdin.read()"]
        subprocess.Popen(child, pass_fds=[descriptor])
    else:
        print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "lock"


@pytest.fixture
def start_holder(path):
    """Start a process that holds the lock; return it once it does, or once its child does."""
    with ExitStack() as started:

        def start(*arguments):
            process = started.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLDER, str(path), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            started.callback(process.kill)
            assert process.stdout.readline().strip() in {b"held", b"child"}
            return process

        yield start


def test_a_second_holder_is_refused_with_the_process_that_holds_the_lock(path, start_holder):
    holder = start_holder("an argument")

    with pytest.raises(LockHeld) as caught, hold_lock(path):
        pass

    assert caught.value.pid == holder.pid
    assert caught.value.command.endswith("'an argument'")
    assert find_holder(path) == (holder.pid, caught.value.command)


def test_a_lock_ends_with_its_context_and_can_be_held_again(path):
    for _ in range(2):
        with hold_lock(path):
            assert find_holder(path) == Holder.current()
        assert find_holder(path) is None


def test_the_lock_of_a_killed_process_is_free_though_its_file_is_there(path, start_holder):
    holder = start_holder()
    holder.kill()
    holder.wait(TIMEOUT)

    assert str(holder.pid) in path.read_text()
    assert find_holder(path) is None
    with hold_lock(path):
        assert find_holder(path).pid == os.getpid()


def test_a_child_that_inherited_the_lock_holds_it_until_it_ends(path, start_holder):
    holder = start_holder("child")
    holder.kill()
    holder.wait(TIMEOUT)
    assert find_holder(path).pid == holder.pid, "the child holds the lock of its dead parent"
    acquired = []

    def acquire():
        with hold_lock(path):
            acquired.append(True)

    thread = Thread(target=acquire)
    thread.start()
    assert not acquired
    holder.stdin.close()  # The child reads the same pipe, and ends.
    thread.join(TIMEOUT)

    assert acquired == [True]
