"""Supervision of named child processes: a dead one is started again after an increasing pause.

One thread per child waits for its exit, so a death is noticed at once and without polling.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import structlog

from modstream.process import children

EXIT_NOT_STARTED = 127  # The code that a shell returns for a command that it cannot run.

log = structlog.get_logger()


class ProcessState(StrEnum):
    """The state of a supervised process."""

    RUNNING = "running"
    BACKOFF = "backoff"
    """The process died and waits for its next start."""
    FINISHED = "finished"
    """The process ended by itself with code 0 and is not started again."""
    STOPPED = "stopped"


ACTIVE_STATES = frozenset({ProcessState.RUNNING, ProcessState.BACKOFF})


@dataclass(frozen=True, slots=True)
class Command:
    """A named command; `env` is its complete environment, by default this process's."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause between a death and the next start: doubled each time, up to `max_seconds`.

    After an uptime of `reset_after_seconds` the pause is `initial_seconds` again.
    """

    initial_seconds: float = 0.5
    max_seconds: float = 30.0
    reset_after_seconds: float = 60.0

    def next_pause(self, previous: float, uptime: float) -> float:
        """Return the next pause (s); `previous` is the last pause, 0 before the first one."""
        if previous == 0 or uptime >= self.reset_after_seconds:
            return self.initial_seconds
        return min(2 * previous, self.max_seconds)


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """The status of a supervised process at one moment."""

    name: str
    state: ProcessState
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    """The exit code of the previous run, -9 if it was killed; None during the first run."""


DEFAULT_BACKOFF = Backoff()


class Supervisor:
    """Runs named processes, restarts dead ones, and stops all in reverse order of their start.

    Logs go to `folder`/logs/<name>.log. Children ignore the terminal's Ctrl-C and do not outlive
    this process.
    """

    def __init__(self, folder: Path, backoff: Backoff = DEFAULT_BACKOFF) -> None:
        self.logs = folder / "logs"
        self._backoff = backoff
        self._changed = threading.Condition()
        self._processes: dict[str, _SupervisedProcess] = {}

    def start(self, command: Command) -> None:
        """Run a command and keep it alive until it is stopped or ends with code 0.

        Raises:
            ValueError: a process of this name is active.
        """
        log_file = self.logs / f"{command.name}.log"
        process = _SupervisedProcess(command, log_file, self._backoff, self._changed)
        with self._changed:
            known = self._processes.get(command.name)
            if known is not None and known.status.state in ACTIVE_STATES:
                raise ValueError(f"{command.name} is {known.status.state} already")
            self._processes.pop(command.name, None)  # A restarted name moves to the end.
            self._processes[command.name] = process
        process.thread.start()

    def kill(self, name: str) -> None:
        """Kill a process as a crash would, so that it is restarted.

        Raises:
            KeyError: no process has this name.
        """
        self._processes[name].kill()

    def stop(self, names: Iterable[str], timeout_seconds: float = 10.0) -> None:
        """Send SIGTERM to the named processes; kill those alive after `timeout_seconds` in all."""
        stopping = [self._processes[name] for name in names]
        deadline = time.monotonic() + timeout_seconds
        for process in stopping:
            process.request_stop()
        for process in stopping:
            process.thread.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.thread.join()

    def stop_all(self, timeout_seconds: float = 10.0) -> None:
        """Stop all processes, the last started first."""
        self.stop(reversed(self._processes), timeout_seconds)

    def status(self) -> list[ProcessStatus]:
        """Return the status of each process, in the order of their start."""
        with self._changed:
            return [process.status for process in self._processes.values()]

    def wait_for(
        self, condition: Callable[[list[ProcessStatus]], bool], timeout: float | None = None
    ) -> bool:
        """Wait until the status fulfils a condition; return False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.status()), timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()


class _SupervisedProcess:
    """One command, its current process, and the thread that waits for that process's exit."""

    def __init__(
        self, command: Command, log_file: Path, backoff: Backoff, changed: threading.Condition
    ) -> None:
        self.status = ProcessStatus(command.name, ProcessState.RUNNING)
        self.thread = threading.Thread(target=self._keep_alive, name=command.name, daemon=True)
        self._command = command
        self._log_file = log_file
        self._backoff = backoff
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_requested = threading.Event()
        self._process_lock = threading.Lock()

    def request_stop(self) -> None:
        """Send SIGTERM and prevent a restart."""
        log.info("process asked to stop", name=self.status.name)
        with self._process_lock:
            self._stop_requested.set()
            if self._process is not None:
                self._process.terminate()

    def kill(self) -> None:
        """Kill the process, if one is running."""
        with self._process_lock:
            if self._process is not None:
                children.kill(self._process)

    def _keep_alive(self) -> None:
        pause = 0.0
        while True:
            started = time.monotonic()
            exit_code = self._run_once()
            if exit_code == 0 or self._stop_requested.is_set():
                break
            pause = self._backoff.next_pause(pause, time.monotonic() - started)
            log.warning("process died", name=self.status.name, code=exit_code, restart_in_s=pause)
            self._update_status(state=ProcessState.BACKOFF, pid=None, exit_code=exit_code)
            if self._stop_requested.wait(pause):
                break
            self._update_status(state=ProcessState.RUNNING, restarts=self.status.restarts + 1)
        is_stopped = self._stop_requested.is_set()
        state = ProcessState.STOPPED if is_stopped else ProcessState.FINISHED
        self._update_status(state=state, pid=None, exit_code=exit_code)

    def _run_once(self) -> int:
        """Run one process until it exits and return its exit code."""
        with self._process_lock:
            if self._stop_requested.is_set():
                return 0
            try:
                process = children.spawn(self._command.argv, self._log_file, self._command.env)
            except OSError as error:
                log.warning("process not started", name=self.status.name, reason=str(error))
                return EXIT_NOT_STARTED
            self._process = process
        self._update_status(state=ProcessState.RUNNING, pid=process.pid)
        return process.wait()

    def _update_status(self, **fields: Any) -> None:  # noqa: ANN401 - fields of ProcessStatus
        with self._changed:
            self.status = replace(self.status, **fields)
            self._changed.notify_all()
