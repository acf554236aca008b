"""Named child processes kept alive: a dead one is started again after a growing pause.

One thread a child awaits its end, so a death is noticed at once and nothing polls.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from modstream.process import children

NOT_STARTED = 127  # what a shell answers for a command that it cannot run

log = structlog.get_logger()


class State(StrEnum):
    """What a supervised process does now."""

    RUNNING = "running"
    PAUSING = "pausing"
    """It died and waits to be started again."""
    FINISHED = "finished"
    """It ended by itself with code 0; nothing is left to do."""
    STOPPED = "stopped"


ALIVE = frozenset({State.RUNNING, State.PAUSING})


@dataclass(frozen=True, slots=True)
class Command:
    """What to run under a name; `env` is the whole environment, ours if None."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between a death and the next start: doubled each time, up to `longest`.

    A process that lived for `healthy` seconds starts the count anew.
    """

    first: float = 0.5
    longest: float = 30.0
    healthy: float = 60.0

    def after(self, previous: float, lived: float) -> float:
        """Return the pause after a life of `lived` seconds; `previous` is 0 the first time."""
        if previous == 0 or lived >= self.healthy:
            return self.first
        return min(2 * previous, self.longest)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the status: a process as it was at one moment."""

    name: str
    state: State
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    """Of its last life, -9 if killed; None while it lives its first."""


DEFAULT_BACKOFF = Backoff()


class Supervisor:
    """Runs named processes, restarts the dead, stops all in reverse order of their start.

    Logs go to `folder`/logs/<name>.log. No child hears the terminal's Ctrl-C or outlives us.
    """

    def __init__(self, folder: Path, backoff: Backoff = DEFAULT_BACKOFF) -> None:
        self.logs = folder / "logs"
        self._backoff = backoff
        self._changed = threading.Condition()
        self._children: dict[str, _Child] = {}

    def start(self, command: Command) -> None:
        """Run a command and keep it alive until it is stopped or ends with code 0.

        Raises:
            ValueError: a process of this name is alive.
        """
        child = _Child(command, self.logs / f"{command.name}.log", self._backoff, self._changed)
        with self._changed:
            known = self._children.get(command.name)
            if known is not None and known.row.state in ALIVE:
                raise ValueError(f"{command.name} is {known.row.state} already")
            self._children.pop(command.name, None)  # so that it goes to the end of the order
            self._children[command.name] = child
        child.thread.start()

    def kill(self, name: str) -> None:
        """Kill a process as a crash would: it is restarted. Raises KeyError for an unknown name."""
        self._children[name].kill()

    def stop(self, names: Iterable[str], grace: float = 10.0) -> None:
        """Send SIGTERM to all named, wait `grace` seconds in all, then kill who is left."""
        leaving = [self._children[name] for name in names]
        deadline = time.monotonic() + grace
        for child in leaving:
            child.leave()
        for child in leaving:
            child.thread.join(max(0.0, deadline - time.monotonic()))
            child.kill()
            child.thread.join()

    def stop_all(self, grace: float = 10.0) -> None:
        """Stop everything, the last started first."""
        self.stop(reversed(self._children), grace)

    def status(self) -> list[Row]:
        """Return one row a process, in the order of their start."""
        with self._changed:
            return [child.row for child in self._children.values()]

    def wait_for(self, wish: Callable[[list[Row]], bool], timeout: float | None = None) -> bool:
        """Wait until the status fulfils a wish; False if `timeout` seconds went by first."""
        with self._changed:
            return self._changed.wait_for(lambda: wish(self.status()), timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_all()


class _Child:
    """One command, its process of the moment, and the thread that awaits that one's end."""

    def __init__(
        self, command: Command, output: Path, backoff: Backoff, changed: threading.Condition
    ) -> None:
        self.row = Row(command.name, State.RUNNING)
        self.thread = threading.Thread(target=self._keep_alive, name=command.name, daemon=True)
        self._command = command
        self._output = output
        self._backoff = backoff
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving = threading.Event()
        self._signals = threading.Lock()

    def leave(self) -> None:
        """Ask the process to end and let no other follow it."""
        log.info("process asked to end", name=self.row.name)
        with self._signals:
            self._leaving.set()
            if self._process is not None:
                self._process.terminate()

    def kill(self) -> None:
        """Kill the process, if there is one."""
        with self._signals:
            if self._process is not None:
                children.kill(self._process)

    def _keep_alive(self) -> None:
        pause = 0.0
        while True:
            born = time.monotonic()
            exit_code = self._live()
            if exit_code == 0 or self._leaving.is_set():
                break
            pause = self._backoff.after(pause, time.monotonic() - born)
            log.warning("process died", name=self.row.name, code=exit_code, again_in_s=pause)
            self._note(state=State.PAUSING, pid=None, exit_code=exit_code)
            if self._leaving.wait(pause):
                break
            self._note(state=State.RUNNING, restarts=self.row.restarts + 1)
        end = State.STOPPED if self._leaving.is_set() else State.FINISHED
        self._note(state=end, pid=None, exit_code=exit_code)

    def _live(self) -> int:
        """Run one process from birth to death and return its exit code."""
        with self._signals:
            if self._leaving.is_set():
                return 0
            try:
                process = children.spawn(self._command.argv, self._output, self._command.env)
            except OSError as error:
                log.warning("process not started", name=self.row.name, reason=str(error))
                return NOT_STARTED
            self._process = process
        self._note(state=State.RUNNING, pid=process.pid)
        return process.wait()

    def _note(self, **facts: Any) -> None:  # noqa: ANN401 - the fields of a row
        with self._changed:
            self.row = replace(self.row, **facts)
            self._changed.notify_all()
