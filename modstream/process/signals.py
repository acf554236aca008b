"""Ctrl-C and SIGTERM as an event that loops look at between two turns."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[Event]:
    """An event that the first Ctrl-C or SIGTERM sets; a second one acts as it always does.

    Handlers can be set in the main thread only; what stood before is restored.
    """
    stop = Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def heard(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, heard)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
