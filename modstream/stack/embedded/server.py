"""The life cycle of one server process on this machine: start, readiness, stop, kill, restart."""

import subprocess
import time
from pathlib import Path
from typing import Protocol, Self

from modstream.errors import ServerExited, ServerNotReady
from modstream.process import children
from modstream.stack.embedded.ports import require_free

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
PROBE_INTERVAL_S = 0.05


class ServerSpec(Protocol):
    """How to run a server of one kind from a folder on a port."""

    name: str
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """The address for clients."""

    def prepare(self) -> list[str]:
        """Prepare the folder and return the command that serves from it."""

    def answers(self) -> bool:
        """Return whether the server answers in its own protocol."""


class EmbeddedServer:
    """One server process. Its data stay in its folder, so a start after a kill finds all of them.

    A process that has exited and one that is slow raise different errors. The server does not
    outlive this process, except for the moment that it takes to end after this process was killed;
    a lock that it inherits is held until then.
    """

    def __init__(self, spec: ServerSpec, lock: int | None = None) -> None:
        self.spec = spec
        self._inherited = () if lock is None else (lock,)
        self.log = spec.folder / f"{spec.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """The address for clients, the same after every restart."""
        return self.spec.url

    @property
    def pid(self) -> int | None:
        """The process id while the server runs, else None."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            PortInUse: another process listens on its port.
            ServerExited: it exited first; the error holds the end of its log.
            ServerNotReady: it runs but did not answer in time.
            StackError: its program is not available; see `prepare` of its spec.
        """
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Start the process and return at once, so that several servers can start in parallel."""
        require_free(self.spec.port)
        self.spec.folder.mkdir(parents=True, exist_ok=True)
        argv = self.spec.prepare()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = children.spawn(argv, self.log, inherited=self._inherited)

    def wait_ready(self, timeout_seconds: float = READY_TIMEOUT_S) -> None:
        """Wait until the launched server answers.

        Raises:
            ServerExited: it exited first; the error holds the end of its log.
            ServerNotReady: it did not answer within `timeout_seconds`.
        """
        deadline = time.monotonic() + timeout_seconds
        while not (self.spec.answers() and self.pid):
            self._require_alive()
            if time.monotonic() > deadline:
                raise ServerNotReady(self.spec.name, timeout_seconds, self.log)

    def stop(self, timeout_seconds: float = STOP_TIMEOUT_S) -> None:
        """Stop the server with SIGTERM; kill it after `timeout_seconds`."""
        if self._process is not None:
            children.terminate(self._process, timeout_seconds)

    def kill(self) -> None:
        """Kill the server, as a power failure would."""
        if self._process is not None:
            children.kill(self._process)

    def _require_alive(self) -> None:
        """Raise ServerExited if the process exits within the probe interval."""
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} was not launched")
        try:
            exit_code = self._process.wait(PROBE_INTERVAL_S)
        except subprocess.TimeoutExpired:
            return
        tail = children.tail(self.log, self._log_start)
        raise ServerExited(self.spec.name, exit_code, self.log, tail)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
