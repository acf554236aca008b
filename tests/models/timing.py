"""Time in tests: a clock that the test moves, and waiting for another thread's effect."""

import time
from collections.abc import Callable
from threading import Event


class ManualClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def eventually(check: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until a check holds, at most `seconds`; return whether it holds."""
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        Event().wait(0.01)
    return check()
