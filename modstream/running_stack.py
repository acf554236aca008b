"""The local stack that runs from a home directory: its lock, and how other commands find it."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modstream.errors import HomeUnusable, LockHeld, StackRunning
from modstream.locks import find_holder, hold_lock

LOCK_FILE = "lock"
"""File in the home directory that the process of its local stack locks."""
RUNNING_STACK_FILE = "running.json"
"""File in the home directory with the settings of the local stack that runs from it."""
ADDRESS_VARIABLES = {"bootstrap": "MODSTREAM_BOOTSTRAP", "redis": "MODSTREAM_REDIS"}


@dataclass(frozen=True, slots=True)
class HomeLock:
    """The lock of a home directory, held by this process.

    Servers inherit `descriptor`, so that the home stays locked until they have ended, too.
    """

    home: Path
    descriptor: int

    @contextmanager
    def advertise(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Let other commands in this home directory find the stack as long as the context."""
        file = self.home / RUNNING_STACK_FILE
        temporary = file.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600)  # The URL of a Redis may contain a password.
        temporary.write_text(json.dumps({**settings, "pid": os.getpid()}))
        temporary.replace(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def lock_home(home: Path) -> Iterator[HomeLock]:
    """Hold the lock of a home directory, without which no server may be started from it.

    Raises:
        StackRunning: another process holds it.
        HomeUnusable: the directory cannot be created, written or locked.
    """
    home = home.absolute()
    with ExitStack() as held:
        try:
            descriptor = held.enter_context(hold_lock(home / LOCK_FILE))
            (home / RUNNING_STACK_FILE).unlink(missing_ok=True)
        except LockHeld as error:
            stack = read_running_stack(home)
            addresses = {v: stack[name] for name, v in ADDRESS_VARIABLES.items() if name in stack}
            raise StackRunning(home, error.pid, error.command, addresses) from None
        except OSError as error:
            raise HomeUnusable(home, error.strerror or str(error)) from error
        yield HomeLock(home, descriptor)


def read_running_stack(home: Path) -> dict[str, Any]:
    """Return the settings of the stack that runs from a home directory; empty if there is none."""
    holder = find_holder(home / LOCK_FILE)
    if holder is None:
        return {}
    try:
        stack = json.loads((home / RUNNING_STACK_FILE).read_text())
        pid = stack.pop("pid")
    except (OSError, ValueError, KeyError):
        return {}
    if pid != holder.pid:
        return {}
    return {name: value for name, value in stack.items() if value is not None}
