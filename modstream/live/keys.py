"""The key that ends a live view."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from modstream.process.background import BackgroundThread

POLL_INTERVAL_S = 0.2
QUIT_KEYS = b"qQ"


@contextmanager
def quit_key(stop: Event) -> Iterator[bool]:
    """Set `stop` when q is pressed; the terminal is restored at the end.

    Yields whether keys are read: they are not if standard input is no terminal.
    """
    if not sys.stdin.isatty():
        yield False
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        # Keys are read without Enter, and Ctrl-C remains a signal.
        tty.setcbreak(descriptor)
        with BackgroundThread("quit-key", partial(wait_for_key, descriptor, stop)):
            yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def wait_for_key(descriptor: int, stop: Event, ended: Event) -> None:
    """Read keys until q, the end of the input, or `ended`; q sets `stop`."""
    while not ended.is_set():
        if not select.select([descriptor], [], [], POLL_INTERVAL_S)[0]:
            continue
        keys = os.read(descriptor, 100)
        if set(QUIT_KEYS) & set(keys):
            stop.set()
        if not keys or stop.is_set():
            return
