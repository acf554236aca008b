"""Ctrl-C and SIGTERM as an event that loops check between two iterations."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[Event]:
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one has its usual effect.

    Call from the main thread only, as for all signal handlers. The previous handlers are restored
    at the end.
    """
    stop = Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
