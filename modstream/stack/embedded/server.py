"""One server process on this machine: started, known to answer, stopped, killed, started again."""

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from modstream.errors import ServerDied, ServerNotReady
from modstream.process import children
from modstream.stack.embedded.ports import require_free

PATIENCE = 90.0
GRACE = 15.0
PROBE_EVERY = 0.05


class Recipe(Protocol):
    """What to start: a server of one kind with its folder and port."""

    name: str
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """The address that clients are given."""

    def prepare(self) -> list[str]:
        """Make the folder ready and return the command that serves from it."""

    def answers(self) -> bool:
        """Whether the server gives a real answer in its own protocol."""


class Server:
    """The life of one server process; its folder outlives it, so a start after a kill finds all.

    A process that ends is told apart from one that is slow, and none outlives this process.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.log = recipe.folder / f"{recipe.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """The address that clients are given: the same through every restart."""
        return self.recipe.url

    @property
    def pid(self) -> int | None:
        """The process id while the server lives, else None."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> Self:
        """Start the server and return when it answers.

        Raises:
            PortTaken: another process listens on its port.
            ServerDied: it ended first; the error carries the end of its log.
            ServerNotReady: it lives but did not answer in time.
            StackError: its program is not to be had; see the recipe.
        """
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Start the process and return at once, so that several servers come up side by side."""
        require_free(self.recipe.port)
        self.recipe.folder.mkdir(parents=True, exist_ok=True)
        argv = self.recipe.prepare()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = children.spawn(argv, self.log)

    def wait_ready(self, patience: float = PATIENCE) -> None:
        """Wait until the launched server answers, at most `patience` seconds."""
        deadline = time.monotonic() + patience
        while not (self.recipe.answers() and self.pid):
            self._require_alive()
            if time.monotonic() > deadline:
                raise ServerNotReady(self.recipe.name, patience, self.log)

    def stop(self, grace: float = GRACE) -> None:
        """End the server in order; kill it if that takes more than `grace` seconds."""
        if self._process is not None:
            children.halt(self._process, grace)

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self._process is not None:
            children.kill(self._process)

    def _require_alive(self) -> None:
        """Give the process a moment in which to die, and tell of its death."""
        if self._process is None:
            raise RuntimeError(f"{self.recipe.name} was not launched")
        try:
            exit_code = self._process.wait(PROBE_EVERY)
        except subprocess.TimeoutExpired:
            return
        tail = children.tail(self.log, self._log_start)
        raise ServerDied(self.recipe.name, exit_code, self.log, tail)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
