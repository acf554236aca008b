"""How long a stream stood still: the longest time between two answers."""

from threading import Event, Thread
from time import monotonic
from typing import Self

from modstream.operations.verify.run import Trial

LOOK_EVERY = 0.2


class Pulse:
    """Watches a trial's answers in a thread; `longest` is the longest gap so far, in seconds.

    The time before the first answer that it sees and after the last one is no gap.
    """

    def __init__(self, trial: Trial) -> None:
        self.longest = 0.0
        self.last = 0.0
        self._trial = trial
        self._closing = Event()
        self._thread = Thread(target=self._watch, name="pulse")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.is_set():
            if self._trial.await_answers(self._trial.answered + 1, LOOK_EVERY):
                now = monotonic()
                self.longest = max(self.longest, now - (self.last or now))
                self.last = now
