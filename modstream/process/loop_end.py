"""The end of a server that runs in an event loop, asked for by an event of another thread."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from threading import Event

CHECK_SECONDS = 0.2


def end_in_loop(
    stop: Event, end: Callable[[], None], loop: AbstractEventLoop, ended: Event
) -> None:
    """Wait for `stop`, and call `end` in the loop; give up once the server has `ended` by itself.

    With all arguments but `ended` bound, it is the target of a `BackgroundThread`.
    """
    while not stop.wait(CHECK_SECONDS):
        if ended.is_set():
            return
    loop.call_soon_threadsafe(end)
