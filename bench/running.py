"""The processes of a subject while they run, and what they use."""

from collections.abc import Sequence
from contextlib import suppress
from subprocess import TimeoutExpired
from time import monotonic
from typing import NamedTuple, Self

import psutil

from bench.environment import Ground
from modstream.process import children
from modstream.process.supervisor import Command

GRACE = 15.0
"""Seconds in which a process that was asked to end does so."""


class Glance(NamedTuple):
    """A subject at one moment: answers committed, processor seconds used, bytes held."""

    at: float
    answered: int
    cpu: float
    memory: int


class Running:
    """The processes of a subject while they run, as a context; they are asked to end."""

    def __init__(self, ground: Ground, commands: Sequence[Command]) -> None:
        self._commands = commands
        self._log = ground.folder / "logs" / f"{commands[0].name}.log"

    def __enter__(self) -> Self:
        self._processes = [
            children.spawn(command.argv, self._log, command.env) for command in self._commands
        ]
        self._seen = [psutil.Process(process.pid) for process in self._processes]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            # Not `halt`: a second SIGTERM ends a program in the middle of its last transaction.
            with suppress(TimeoutExpired):
                process.wait(GRACE)
            children.kill(process)

    def has_died(self) -> bool:
        """Whether a process has ended by itself."""
        return any(process.poll() is not None for process in self._processes)

    def glance(self, answered: int) -> Glance:
        """What all processes and their children use now."""
        used = [usage(each) for one in self._seen for each in family(one)]
        cpu, memory = (sum(column) for column in zip(*used, strict=True))
        return Glance(monotonic(), answered, cpu, int(memory))

    def tail(self) -> str:
        """The last lines that they logged."""
        return children.tail(self._log)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its children; alone when it has just ended."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return [process]


def usage(process: psutil.Process) -> tuple[float, int]:
    """Processor seconds used and bytes held; nothing of a process that has just ended."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss
    return 0.0, 0
