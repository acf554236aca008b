"""The key that ends a live view, in a terminal of its own."""

import os
import pty
import sys
import termios
from threading import Event

import pytest

from modstream.live.keys import quit_key


@pytest.fixture
def keyboard(monkeypatch):
    """Yield a function that presses keys on the terminal that is standard input."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield lambda keys: os.write(ours, keys)
    os.close(ours)


def test_q_ends_the_view_and_the_terminal_is_restored(keyboard):
    before, stop = termios.tcgetattr(sys.stdin.fileno()), Event()

    with quit_key(stop) as has_keys:
        keyboard(b"xq")
        assert stop.wait(10)

    assert has_keys
    assert termios.tcgetattr(sys.stdin.fileno()) == before


def test_other_keys_end_nothing(keyboard):
    stop = Event()

    with quit_key(stop):
        keyboard(b"xyz\n")

    assert not stop.is_set()


def test_without_a_terminal_no_key_is_read(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "w") as keys:
        monkeypatch.setattr("sys.stdin", stdin)
        stop = Event()
        with quit_key(stop) as has_keys:
            keys.write("q")
            keys.flush()

        assert not has_keys
        assert stdin.read(1) == "q"
