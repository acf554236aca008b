"""Child processes that ignore the terminal's Ctrl-C and never outlive this process.

On Linux the kernel kills a child when the *thread* that forked it ends (PR_SET_PDEATHSIG of
prctl(2)), even if this process is killed with SIGKILL. Therefore one thread that lives as long as
the interpreter forks every child. On other systems an exit handler kills the children, which does
not run after a SIGKILL.
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


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs an installed Python module with this interpreter.

    `-P` keeps the working folder off sys.path, where a user's file named like a library, such as
    redis.py, would replace that library.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def spawn(
    argv: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in its own session and append its output to `log`.

    Args:
        argv: the command, run without a shell.
        log: the file for stdout and stderr; created with its folder if missing.
        env: the complete environment; by default this process's.
        inherited: file descriptors that stay open in the process.

    Raises:
        OSError: the command does not exist or cannot be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = _forker().submit(_start, list(argv), sink, env, inherited).result()
    if not LINUX:
        atexit.register(kill, process)
    return process


def terminate(process: subprocess.Popen[bytes], timeout_seconds: float) -> int:
    """Send SIGTERM, kill the process after `timeout_seconds`, and return its exit code."""
    process.terminate()
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return kill(process)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a process and its group at once and return its exit code."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what a process has started and left behind, once it has ended itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def tail(log: Path, since: int = 0, lines: int = 15) -> str:
    """Return the last lines of a log from byte `since` on, without Java's stack frames."""
    with log.open("rb") as source:
        source.seek(max(since, log.stat().st_size - TAIL_BYTES))
        text = source.read().decode(errors="replace")
    kept = [line for line in text.splitlines() if line and not line.startswith("\tat ")]
    return "\n".join(kept[-lines:])


@cache
def _forker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


def _start(
    argv: list[str], sink: BinaryIO, env: Mapping[str, str] | None, inherited: Sequence[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
        pass_fds=inherited,
        # Takes no lock and allocates almost nothing, so it is safe with other threads running.
        preexec_fn=partial(_set_parent_death_signal, os.getpid()) if LINUX else None,  # noqa: PLW1509
    )


def _set_parent_death_signal(parent: int) -> None:
    """Tie the child to its parent, between fork and exec; exit if the parent is gone already."""
    if _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != parent:
        os._exit(os.EX_OSERR)
