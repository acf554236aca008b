"""A served dashboard of stand-ins, and Chromium that opens it; for tests and screenshots."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from playwright.sync_api import Browser, Page, Playwright

from modstream.dashboard.web.app import dashboard_app
from modstream.producers.gateway.http.server import HttpServer
from modstream.producers.gateway.settings import GatewaySettings
from tests.modstream.dashboard.web.dashboards import Dashboard
from tests.modstream.dashboard.web.views_of_state import StateOfViews

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Chromium is missing: install it with `apt-get install chromium`"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEWS = {
    "stream": "/",
    "models": "/models",
    "model": "/models/online",
    "pipeline": "/models/frozen",
    "requests": "/requests",
    "request": "/requests?id=r-17&values=shown",
    "labels": "/labels",
    "experiments": "/experiments",
    "experiment": "/experiments/aaaa1111",
    "comparison": "/experiments/aaaa1111,bbbb2222,cccc3333",
    "sign-in": "/sign-in",
    "promote": "/models/online/promote?version=13",
    "rollback": "/models/online/rollback",
    "redrive": "/labels/redrive?cause=not_json",
    "release": "/labels/release?cause=outlier",
}
KINDS = ("full", "empty", "error", "long")


class ServedDashboard:
    """A dashboard that a thread serves; `update` changes its views as new records would."""

    def __init__(self, board: Dashboard, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.board, self.url, self._loop = board, url, loop
        self.secret = board.keys.create("manage:flights")
        board.context.operators.refresh()

    def update(self):
        """Make the next revision, and wake the open pages."""
        self.board.state.update()
        self._loop.call_soon_threadsafe(self.board.context.feed.notify)


@contextmanager
def served_dashboard(kind: str = "full", **settings) -> Iterator[ServedDashboard]:
    """Serve a dashboard on a free port."""
    found: list[ServedDashboard] = []
    ready, stop = Event(), []

    async def serve():
        board = Dashboard.of(StateOfViews(kind), max_live_pages=40, **settings)
        server = HttpServer(dashboard_app(board.context), GatewaySettings(port=0))
        loop = asyncio.get_running_loop()
        found.append(ServedDashboard(board, server.url, loop))

        def end():
            board.context.feed.stop()
            server.stop()

        stop.append(lambda: loop.call_soon_threadsafe(end))
        ready.set()
        await server.serve()

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(15)


def open_chromium(playwright: Playwright) -> Browser:
    """Start the Chromium of this machine."""
    assert CHROMIUM, MISSING
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))


def sign_in(page: Page, dashboard: ServedDashboard) -> None:
    """Sign in with a key that permits everything."""
    page.goto(f"{dashboard.url}/sign-in")
    page.get_by_label("API key").fill(dashboard.secret)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
