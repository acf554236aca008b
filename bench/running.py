"""The running processes of a system, and their use of processor and memory."""

from collections.abc import Sequence
from contextlib import suppress
from subprocess import TimeoutExpired
from time import monotonic
from typing import NamedTuple, Self

import psutil

from bench.environment import BenchEnvironment
from modstream.process import children
from modstream.process.supervisor import Command

STOP_TIMEOUT_SECONDS = 15.0
"""Time that a process has to stop after SIGTERM."""


class ResourceSample(NamedTuple):
    """The state of a system at one time: responses, processor seconds and bytes of memory."""

    at: float
    answered: int
    cpu: float
    memory: int


class RunningSystem:
    """The processes of a system: a context manager that starts and stops them."""

    def __init__(self, environment: BenchEnvironment, commands: Sequence[Command]) -> None:
        self._commands = commands
        self._log = environment.folder / "logs" / f"{commands[0].name}.log"

    def __enter__(self) -> Self:
        self._processes = [
            children.spawn(command.argv, self._log, command.env) for command in self._commands
        ]
        self._observed = [psutil.Process(process.pid) for process in self._processes]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            # No second SIGTERM: it would end a program in the middle of its last transaction.
            with suppress(TimeoutExpired):
                process.wait(STOP_TIMEOUT_SECONDS)
            children.kill(process)
            children.kill_group(process)  # LitServe leaves its own processes behind.

    @property
    def processes(self) -> Sequence[psutil.Process]:
        """The processes, without their children."""
        return self._observed

    def has_exited(self) -> bool:
        """Return whether a process has exited by itself."""
        return any(process.poll() is not None for process in self._processes)

    def sample(self, answered: int) -> ResourceSample:
        """Sample what all processes and their children use now."""
        usages = [
            resource_usage(process) for parent in self._observed for process in process_tree(parent)
        ]
        cpu, memory = (sum(column) for column in zip(*usages, strict=True))
        return ResourceSample(monotonic(), answered, cpu, int(memory))

    def tail(self) -> str:
        """Return the last lines of the processes' log."""
        return children.tail(self._log)


def process_tree(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants; only the process itself if it has just exited."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return [process]


def resource_usage(process: psutil.Process) -> tuple[float, int]:
    """Return processor seconds and bytes of memory; zeros if the process has just exited."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss
    return 0.0, 0
