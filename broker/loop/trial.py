"""A trial of work in a forked process, which it may end."""

import faulthandler
import os
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SURVIVED = 42
"""Exit code of a process that its work did not end."""
POLL_INTERVAL_S = 0.01
OOM_SCORE = Path("/proc/self/oom_score_adj")


def survives(work: Callable[[], object], seconds: float, close: int | None = None) -> bool | None:
    """Run work in a copy of this process, and return whether the copy survives it.

    The copy has the calling thread only, so work that waits for another thread does not return.

    Args:
        work: the work; its result and its exceptions are ignored.
        seconds: how long it may take.
        close: a file descriptor that the copy closes.

    Returns:
        True if the work returned or raised, False if it ended the process, None if neither
        happened in time.
    """
    with warnings.catch_warnings():
        # The copy calls the work and nothing else; it never returns to the interpreter's exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _work_and_exit(work, seconds, close)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.WIFEXITED(status) and os.WEXITSTATUS(status) == SURVIVED
        time.sleep(POLL_INTERVAL_S)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _work_and_exit(work: Callable[[], object], seconds: float, close: int | None) -> None:
    """Do the work in the forked process, and end it without any cleanup."""
    try:
        faulthandler.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(seconds) + 1)  # Also ends it if its parent is gone.
        if close is not None:
            os.close(close)
        with suppress(OSError):
            # Should memory run out, the kernel kills the copy first.
            OOM_SCORE.write_text("1000")
        work()
    finally:
        os._exit(SURVIVED)
