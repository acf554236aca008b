"""The trial process: forks one process for each trial, so that each starts with its libraries.

It runs no model itself, has one thread, and ends when the process that started it ends, as its
control socket is closed then. Each trial has two processes: one that runs it, and one that waits
for the first and reports how it died. Both are killed with the trial process, on Linux.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modstream.models.errors import ModelError, TrialFailed
from modstream.models.runtimes.runtime import import_runtime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.trial.frames import as_scalar, receive_frame, send_frame
from modstream.models.trial.server_process import NEW_TRIAL
from modstream.models.trial.trial import try_version

PR_SET_PDEATHSIG = 1
NICENESS = 5
_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None)


def serve(control: socket.socket, runtime: str) -> None:
    """Run a trial for each socket received through `control`, until that is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the processes of trials
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Once, before any fork; a trial reports if the libraries are missing.
    with suppress(ImportError, KeyError):
        import_runtime(runtime)
    while True:
        message, descriptors, *_ = socket.recv_fds(control, len(NEW_TRIAL), 1)
        if not message or not descriptors:
            return
        if os.fork() == 0:
            control.close()
            with socket.socket(fileno=descriptors[0]) as connection:
                _supervise(connection)
            os._exit(0)
        os.close(descriptors[0])


def _supervise(connection: socket.socket) -> None:
    """Run a trial in a process of its own, and report its death if it cannot report itself."""
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    trial = os.fork()
    if trial == 0:
        _die_with_parent()
        _run(connection)
        os._exit(0)
    _, status = os.waitpid(trial, 0)
    if os.WIFSIGNALED(status):
        _reply(connection, {"signal": os.WTERMSIG(status)})


def _run(connection: socket.socket) -> None:
    """Run one trial within its limits and send its report or error."""
    os.nice(NICENESS)
    frame = receive_frame(connection)
    if not frame:  # the question whether the libraries are imported
        _reply(connection, {})
        return
    request: dict[str, Any] = json.loads(frame)
    artifact = Artifact(receive_frame(connection))
    card, limits = ModelCard.model_validate(request["card"]), request["limits"]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills the process, whatever it is doing
    signal.setitimer(signal.ITIMER_REAL, limits["seconds"])
    unlimited = _limit_memory(limits["memory_bytes"])
    reply: dict[str, Any]
    try:
        report = try_version(
            card,
            artifact,
            request["rows"],
            warm_up_rows=request["warm_up_rows"],
            blocking_load_seconds=limits["blocking_load_seconds"],
        )
        reply = asdict(report)
    except TrialFailed as error:
        reply = {"reason": error.reason, "is_about_rows": error.is_about_rows}
    except ModelError as error:
        reply = {"reason": str(error)}
    except MemoryError:
        reply = {"reason": "out of memory"}
    except BaseException as error:  # noqa: BLE001 - a library may raise anything
        reply = {"reason": f"{type(error).__name__}: {error}"}
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    _reply(connection, reply)


def _reply(connection: socket.socket, reply: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody waits any more
        send_frame(connection, json.dumps(reply, default=as_scalar).encode())


def _limit_memory(extra_bytes: int) -> tuple[int, int]:
    """Limit the process to `extra_bytes` more than it has now; return the limits before."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if _LINUX:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        used = pages * resource.getpagesize()
        with suppress(ValueError, OSError):  # the hard limit may be lower
            resource.setrlimit(resource.RLIMIT_AS, (used + extra_bytes, before[1]))
    return before


def _die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends."""
    if _LINUX:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
