"""The growth of tabs that stay open: heap and DOM nodes over time, after collections of garbage.

    python -m tests.dashboard.growth --minutes 60 --rate 500

sends so many requests a second with their answers to a stream on real servers. Every minute it
prints, for each tab, the used JavaScript heap, and the numbers of DOM nodes and of listeners; and
the memory of the dashboard's process. It fails if a tab has grown by more than 20 MB since the end
of the first minute, or is not kept current.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from time import monotonic
from typing import NamedTuple

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from modstream.process.background import BackgroundThread
from tests.dashboard.browsers import open_chromium
from tests.dashboard.live_stream import MODEL, LiveStream, live_stream

MAX_GROWTH_MB = 20.0
TABS = {"stream": "/", "model": f"/models/{MODEL}"}
INTERVAL_SECONDS = 60.0
MB = 1e6


class TabSize(NamedTuple):
    """What a tab holds after a collection of garbage."""

    heap_mb: float
    nodes: int
    listeners: int
    updates: int


class Tab:
    """A page in a browser context of its own, and the session that measures it."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self._page, self._session = page, session
        self._page.evaluate(
            """() => {
                window.updates = 0;
                document.addEventListener("htmx:sse:after:message", () => { window.updates += 1; });
            }"""
        )

    def measure(self) -> TabSize:
        """Collect garbage, and return what is left."""
        for _ in range(2):
            self._session.send("HeapProfiler.collectGarbage")
        heap = self._session.send("Runtime.getHeapUsage")
        dom = self._session.send("Memory.getDOMCounters")
        updates = self._page.evaluate("window.updates")
        return TabSize(heap["usedSize"] / MB, dom["nodes"], dom["jsEventListeners"], updates)

    def pause(self, seconds: float) -> None:
        """Wait while the page goes on."""
        self._page.wait_for_timeout(seconds * 1000)


@contextmanager
def open_tab(browser: Browser, url: str) -> Iterator[Tab]:
    """Open a page that is kept current."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.locator('[data-state="live"]').wait_for()
    yield Tab(page, context.new_cdp_session(page))
    context.close()


def measure_growth(stream: LiveStream, minutes: int) -> list[str]:
    """Print the sizes of the tabs every minute; return what is wrong with them."""
    process = psutil.Process(stream.pid)
    with sync_playwright() as playwright, ExitStack() as open_tabs:
        browser = open_chromium(playwright)
        opened = {
            name: open_tabs.enter_context(open_tab(browser, stream.url + path))
            for name, path in TABS.items()
        }
        start, sizes = monotonic(), {name: list[TabSize]() for name in opened}
        say("minute  tab     heap MB   nodes  listeners  updates  dashboard MB")
        for minute in range(1, minutes + 1):
            opened["stream"].pause(max(0.0, start + minute * INTERVAL_SECONDS - monotonic()))
            memory = process.memory_info().rss / MB
            for name, tab in opened.items():
                size = tab.measure()
                sizes[name].append(size)
                minutes_open = (monotonic() - start) / 60
                say(
                    f"{minutes_open:6.1f}  {name:6}{size.heap_mb:9.2f}{size.nodes:8,}"
                    f"{size.listeners:11,}{size.updates:9,}{memory:14.1f}"
                )
    return [problem for name, found in sizes.items() for problem in problems_of(name, found)]


def problems_of(name: str, sizes: list[TabSize]) -> Iterator[str]:
    """Yield what is wrong with a tab: it has grown, or it was not kept current."""
    growth = max(size.heap_mb for size in sizes) - sizes[0].heap_mb
    say(f"{name}: the heap has grown by {growth:.2f} MB at most")
    if growth > MAX_GROWTH_MB:
        yield f"{name} has grown by {growth:.1f} MB"
    if any(after.updates == before.updates for before, after in pairwise(sizes)):
        yield f"{name} was not kept current"


def say(line: str) -> None:
    """Print a line at once, so that the log of a long run can be followed."""
    print(line, flush=True)  # noqa: T201


def main() -> None:
    """Measure as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second")
    given = parser.parse_args()
    with live_stream() as stream:
        load = BackgroundThread("load", lambda stop: stream.send_steadily(given.rate, stop))
        with load:
            problems = measure_growth(stream, given.minutes)
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
