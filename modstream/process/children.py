"""Child processes that hear no Ctrl-C of ours and never outlive us.

On Linux the kernel kills a child when the *thread* that forked it ends (PR_SET_PDEATHSIG of
prctl(2)), even if this process was killed with SIGKILL; so one thread that lives as long as the
interpreter forks every child. Elsewhere an exit handler does it, which such a SIGKILL defeats.
"""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
TAIL_BYTES = 64 * 1024
_LIBC = ctypes.CDLL(None)


def spawn(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, its output appended to `log`.

    Args:
        argv: the command; no shell reads it.
        log: a file for stdout and stderr; made with its folder if missing.
        env: the whole environment, ours if None.

    Raises:
        OSError: the command is not there or not to be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = _forker().submit(_start, list(argv), sink, env).result()
    if not LINUX:
        atexit.register(kill, process)
    return process


def halt(process: subprocess.Popen[bytes], grace: float) -> int:
    """Ask a process to end, kill it after `grace` seconds, and return its exit code."""
    process.terminate()
    try:
        return process.wait(grace)
    except subprocess.TimeoutExpired:
        return kill(process)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a process and its group at once and return its exit code."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def tail(log: Path, since: int = 0, lines: int = 15) -> str:
    """Return the last lines of a log from byte `since` on, without Java's stack frames."""
    with log.open("rb") as source:
        source.seek(max(since, log.stat().st_size - TAIL_BYTES))
        text = source.read().decode(errors="replace")
    told = [line for line in text.splitlines() if line and not line.startswith("\tat ")]
    return "\n".join(told[-lines:])


@cache
def _forker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


def _start(
    argv: list[str], sink: BinaryIO, env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
        # Takes no lock and allocates next to nothing, so it is safe beside other threads.
        preexec_fn=partial(_die_with, os.getpid()) if LINUX else None,  # noqa: PLW1509
    )


def _die_with(parent: int) -> None:
    """Tie the child to its parent, between fork and exec; a parent already gone is noticed."""
    if _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != parent:
        os._exit(os.EX_OSERR)
