"""The feed of open pages: server-sent events with the current contents of a page.

The contents of a page are rendered once per update, for all browsers that have it open.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import structlog
from starlette.concurrency import run_in_threadpool

from modstream.dashboard.web.errors import TooManyPages

HEARTBEAT_SECONDS = 15.0
MIN_INTERVAL_SECONDS = 1.0
RETRY_MS = 2000
HEARTBEAT = b": \n\n"
HEADERS = {
    "Cache-Control": "no-store",
    # Some reverse proxies would collect events before they pass them on.
    "X-Accel-Buffering": "no",
}
Render = Callable[[], str]


class _Contents(NamedTuple):
    update: int
    task: "asyncio.Task[str]"


class LiveFeed:
    """Distributes the contents of pages; all methods belong to the event loop."""

    def __init__(
        self,
        limit: int,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        min_interval: float = MIN_INTERVAL_SECONDS,
    ) -> None:
        """Serve at most `limit` pages at a time; the intervals are in seconds."""
        self._limit, self._heartbeat, self._min_interval = limit, heartbeat, min_interval
        self._open = 0
        self._update = 0
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()
        self._contents: dict[str, _Contents] = {}

    @property
    def open_pages(self) -> int:
        """The number of pages that are kept current now."""
        return self._open

    def notify(self) -> None:
        """Send new contents to all pages, once the interval since the last ones is over."""
        self._update += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def stop(self) -> None:
        """End all streams."""
        self._stopped.set()
        self._changed.set()

    def check_room(self) -> None:
        """Check that a further page may be kept current.

        Raises:
            TooManyPages: as many are as are allowed.
        """
        if self._open >= self._limit:
            raise TooManyPages(self._limit)

    async def events(self, address: str, render: Render) -> AsyncIterator[bytes]:
        """Yield the events of a page until the feed stops.

        Args:
            address: the path and query of the page; pages with equal ones share their contents.
            render: returns the contents as HTML; called in another thread.
        """
        with self._counted():
            yield f"retry: {RETRY_MS}\n\n".encode()
            last, clock = "", asyncio.get_running_loop().time
            sent_at = clock()
            while not self._stopped.is_set():
                changed = self._changed
                contents = await self._render(address, render)
                if contents and contents != last:
                    last, sent_at = contents, clock()
                    yield to_event(contents)
                    await self._pause(self._stopped, self._min_interval)
                elif clock() - sent_at >= self._heartbeat:
                    sent_at = clock()
                    yield HEARTBEAT
                await self._pause(changed, sent_at + self._heartbeat - clock())

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.check_room()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._contents.clear()

    async def _render(self, address: str, render: Render) -> str:
        found = self._contents.get(address)
        if found is None or found.update != self._update:
            if len(self._contents) > self._limit:
                self._contents.clear()
            found = _Contents(self._update, asyncio.ensure_future(run_in_threadpool(render)))
            self._contents[address] = found
        try:
            return await asyncio.shield(found.task)
        except Exception:  # noqa: BLE001 - the page keeps its last contents, and the log says why
            structlog.get_logger(__name__).exception("page not rendered", address=address[:200])
            return ""

    @staticmethod
    async def _pause(event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def to_event(contents: str) -> bytes:
    """Return a text as one server-sent event."""
    lines = "".join(f"data: {line}\n" for line in contents.splitlines() if line.strip())
    return f"{lines}\n".encode()
