"""Reports of native code that ends the process, and the end of native code that never returns.

Native code that never returns and never releases the interpreter's lock stops every thread of
Python, the watchdog's too. faulthandler's timer is a thread in C, which needs no lock.
"""

import faulthandler
import sys
from threading import Event, current_thread, main_thread
from typing import IO, Self

from modstream.process.background import BackgroundThread

RESTARTS_PER_TIMEOUT = 10
"""How often the timer is started again within its time."""
MAX_RESTART_INTERVAL_S = 5.0


class NativeFaultHandler:
    """Writes the stacks of all threads to `report` when native code fails.

    That is at a fatal signal, such as a segmentation fault, and after `timeout_seconds` in which no
    thread of Python could run: then the process ends with exit code 1. By default the report is
    standard error. A process has only one such handler, so a service that runs beside the main
    thread installs none.
    """

    def __init__(self, timeout_seconds: float, report: IO[bytes] | None = None) -> None:
        self._timeout_seconds = timeout_seconds
        self._report = report or sys.__stderr__
        self._thread = BackgroundThread("hang-timer", self._restart_timer)
        self._is_installed = False

    def __enter__(self) -> Self:
        if self._report is not None and current_thread() is main_thread():
            faulthandler.enable(self._report)
            self._thread.start()
            self._is_installed = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_installed:
            self._thread.stop()
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()
            if sys.__stderr__ is not None:
                faulthandler.enable(sys.__stderr__)

    def _restart_timer(self, stop: Event) -> None:
        interval = min(self._timeout_seconds / RESTARTS_PER_TIMEOUT, MAX_RESTART_INTERVAL_S)
        while True:
            faulthandler.dump_traceback_later(
                self._timeout_seconds, exit=True, file=self._report or sys.stderr
            )
            if stop.wait(interval):
                return
