"""The time limit of ONNX Runtime's runs, watched by one thread for all sessions of the process."""

import os
import time
from threading import Event, Lock, Thread, get_ident
from typing import NamedTuple

import onnxruntime as ort

PREDICT_LIMIT_SECONDS = 10.0
"""Longest time that one batch may take a model; a loop without an end would stop the worker."""
_CHECK_SECONDS = 0.1


class Run(NamedTuple):
    """A run in progress, of the thread that began it; it must not exceed its limits.

    `limit` is in seconds of processor time, `deadline` is a monotonic time.
    """

    clock: int
    start: float
    limit: float
    deadline: float
    options: ort.RunOptions

    @property
    def seconds(self) -> float:
        """The processor time so far."""
        return time.clock_gettime(self.clock) - self.start

    @property
    def is_overdue(self) -> bool:
        """Whether the run must be ended."""
        return self.seconds > self.limit or time.monotonic() > self.deadline


class RunMonitor:
    """Ends runs that exceed their limit. Its thread sleeps while no run is in progress.

    The limit counts the processor time of the thread that runs the model, so a machine that is busy
    or suspended ends no run early. In real time, a run may take PREDICT_LIMIT_SECONDS.

    ONNX Runtime notices the request to end between two nodes of a graph, also inside a loop, but
    not within a node.
    """

    __slots__ = ("_begun", "_lock", "_runs", "_thread")

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._begun = Event()
        self._lock = Lock()
        self._thread: Thread | None = None

    def begin(self, seconds: float) -> Run:
        """Watch runs of this thread that must end within some seconds altogether.

        Runs that exceed the limit fail, and their options' `terminate` is true then. The caller
        must call `end` after the last of them.
        """
        clock = _thread_clock()
        deadline = time.monotonic() + max(seconds, PREDICT_LIMIT_SECONDS)
        run = Run(clock, time.clock_gettime(clock), seconds, deadline, ort.RunOptions())
        self._runs[id(run)] = run
        if not self._begun.is_set():
            self._wake()
        return run

    def end(self, run: Run) -> None:
        """Stop watching a run."""
        del self._runs[id(run)]

    def _wake(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = Thread(target=self._watch, name="onnx-limit", daemon=True)
                    self._thread.start()
        self._begun.set()

    def _watch(self) -> None:
        while self._begun.wait():
            self._begun.clear()
            time.sleep(_CHECK_SECONDS)
            self._end_overdue()
            while self._runs:
                time.sleep(_CHECK_SECONDS)
                self._end_overdue()

    def _end_overdue(self) -> None:
        for run in list(self._runs.values()):
            if run.is_overdue:
                run.options.terminate = True


def _thread_clock() -> int:
    """Return the clock of this thread's processor time; one of real time where there is none."""
    if hasattr(time, "pthread_getcpuclockid"):
        return time.pthread_getcpuclockid(get_ident())
    return time.CLOCK_MONOTONIC


RUN_MONITOR = RunMonitor()
"""The monitor of this process."""
# A forked process has no thread of its parent's.
os.register_at_fork(after_in_child=RUN_MONITOR.__init__)  # type: ignore[misc]
