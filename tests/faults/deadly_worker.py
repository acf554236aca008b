"""A worker that dies of some records, as it would in native code: the header `die` says how.

    python -m tests.faults.deadly_worker [SECONDS]

Settings come from the environment. Each batch takes SECONDS, so that the worker can be killed while
it handles one.
"""

import ctypes
import os
import signal
import sys
from threading import Event
from time import sleep

from modstream import logs
from modstream.process.gc_tuning import skip_gc_at_exit
from modstream.process.signals import stop_signals
from modstream.services.worker import WorkerFactories, handler, run_worker
from modstream.settings import load_settings

DIE = "die"


def fail():
    raise ArithmeticError("nobody foresaw this")


def hang_with_the_lock():
    """Hang in native code that holds the interpreter's lock: PyDLL does not release it."""
    ctypes.PyDLL(None).sleep(600)


WAYS = {
    "raise": fail,
    "exit": lambda: sys.exit(0),
    "segfault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: Event().wait(),
    "lock": hang_with_the_lock,
}


class DeadlyHandler:
    """A handler that some records kill, in the middle of their batch."""

    def __init__(self, handle, seconds):
        self._handle = handle
        self._seconds = seconds

    def __call__(self, batch):
        sleep(self._seconds)
        result = self._handle(batch)
        for record in batch:
            way = record.header(DIE)
            if way is not None:
                WAYS[way.decode()]()
        return result


def main(seconds: str = "0") -> None:
    settings = load_settings()
    logs.configure(settings)
    skip_gc_at_exit()
    factories = WorkerFactories(
        handler=lambda *parts: DeadlyHandler(handler(*parts), float(seconds))
    )
    with stop_signals() as stop:
        run_worker(settings, stop, factories)


if __name__ == "__main__":
    main(*sys.argv[1:])
