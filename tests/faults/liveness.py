"""Measures the longest time between two responses of a stream."""

from threading import Event, Thread
from time import monotonic
from typing import Self

from modstream.operations.verify.run import VerificationRun

POLL_INTERVAL_SECONDS = 0.2


class LivenessMonitor:
    """Observes the responses of a run in a thread.

    `longest_gap` is the longest time between two observed responses, in seconds. The times before
    the first and after the last response do not count.
    """

    def __init__(self, run: VerificationRun) -> None:
        self.longest_gap = 0.0
        self.last_response_at = 0.0
        self._run = run
        self._closing = Event()
        self._thread = Thread(target=self._watch, name="liveness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.is_set():
            if self._run.wait_for_answers(self._run.answered + 1, POLL_INTERVAL_SECONDS):
                now = monotonic()
                self.longest_gap = max(self.longest_gap, now - (self.last_response_at or now))
                self.last_response_at = now
