"""Start and end of the trial process of one runtime."""

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from threading import Lock
from typing import IO

STOP_SECONDS = 5.0
NEW_TRIAL = b"t"
"""The message that comes with the socket of a new trial."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""The trial process forks, so its libraries must not have started threads."""


class TrialServer:
    """The trial process of one runtime, which is started when it is needed and not running."""

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._stderr: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process, None if it was not started."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process unless it runs; return at once."""
        with self._lock:
            self._ensure_started()

    def connect(self) -> socket.socket | None:
        """Return the socket of a new trial; None if the process cannot be started."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for _ in range(2):  # a process that was killed is replaced once
                with suppress(OSError):
                    socket.send_fds(self._ensure_started(), [NEW_TRIAL], [theirs.fileno()])
                    return ours
                self._stop()
        ours.close()
        return None

    def close(self) -> None:
        """End the process and all its trials."""
        with self._lock:
            self._stop()

    def last_words(self) -> str:
        """Return the last line that the process wrote to its standard error, after a colon."""
        with self._lock:
            if self._stderr is None:
                return ""
            self._stderr.seek(0)
            lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def _ensure_started(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._stop()
        self._control, theirs = socket.socketpair()
        self._stderr = _temporary_file()
        arguments = ["modstream.models.trial", str(theirs.fileno()), self._runtime]
        with theirs:
            # -P keeps the working folder, where a user's file may be named like a library, off
            # sys.path.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr or subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None


def _temporary_file() -> IO[bytes] | None:
    """Return a new temporary file; None where no file can be written."""
    try:
        return tempfile.TemporaryFile()  # closed with the process
    except OSError:
        return None
