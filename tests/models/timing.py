"""Time in tests: a clock that only the test moves, and waiting for what another thread does."""

import time
from collections.abc import Callable
from threading import Event


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def eventually(check: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until a check holds, at most so many seconds; tell whether it does."""
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        Event().wait(0.01)
    return check()
