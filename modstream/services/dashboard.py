"""The dashboard service: the pages of one stream, kept current while they are open."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from threading import Event
from time import time

import structlog
import uvloop

from modstream.dashboard.state import DashboardState
from modstream.dashboard.web.app import dashboard_app
from modstream.dashboard.web.context import WebContext
from modstream.dashboard.web.feed import LiveFeed
from modstream.dashboard.web.operators import Operators
from modstream.dashboard.web.rendering import Renderer
from modstream.dashboard.web.sessions import Sessions
from modstream.dashboard_settings import DashboardSettings
from modstream.errors import InvalidSettings
from modstream.process.background import BackgroundThread
from modstream.process.health import HealthFiles, HealthReport
from modstream.process.loop_end import end_in_loop
from modstream.producers.gateway.errors import AddressTaken
from modstream.producers.gateway.http.server import HttpServer
from modstream.producers.gateway.settings import GatewaySettings
from modstream.registry.access import open_registry
from modstream.registry.api_keys import open_key_store
from modstream.services.gateway_access import is_loopback
from modstream.services.letter_actions import RedriveActions
from modstream.services.model_actions import RegistryActions
from modstream.settings import Settings

HEALTH_SECONDS = 2.0
"""How often the health report is written."""

OnReady = Callable[[str], None]


def run_dashboard(settings: Settings, stop: Event, on_ready: OnReady) -> None:
    """Serve until `stop` is set.

    Args:
        settings: the stream is its own one.
        stop: ends the service.
        on_ready: called with the URL once pages are answered.

    Raises:
        TopicMissing: the stream's topics do not exist.
        InvalidSettings: the address cannot be listened on, or must not be without keys.
        KeyFileUnusable: the file of the API keys is missing or damaged.
    """
    uvloop.run(serve(settings, stop, on_ready))


async def serve(settings: Settings, stop: Event, on_ready: OnReady) -> None:
    """Serve until `stop` is set."""
    with dashboard_context(settings) as context:
        http = open_server(context)

        def end() -> None:
            # The streams of open pages would otherwise hold their connections.
            context.feed.stop()
            http.stop()

        watch = partial(end_in_loop, stop, end, asyncio.get_running_loop())
        with BackgroundThread("dashboard-stop", watch):
            async with health_reports(settings):
                on_ready(http.url)
                await http.serve()


@asynccontextmanager
async def health_reports(settings: Settings) -> AsyncIterator[None]:
    """Write health reports in the event loop, so that there are none while it is blocked."""
    name = f"{settings.topics().group('dashboard')}-{settings.dashboard.port}"
    files = HealthFiles(settings.home)

    async def write() -> None:
        while True:
            files.write(HealthReport(name, True, "serving", None, time()))
            await asyncio.sleep(HEALTH_SECONDS)

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        files.remove(name)


def open_server(context: WebContext) -> HttpServer:
    """Return the server of the pages, which listens.

    Raises:
        InvalidSettings: the address cannot be listened on.
    """
    address = GatewaySettings(host=context.settings.host, port=context.settings.port)
    try:
        return HttpServer(dashboard_app(context), address)
    except AddressTaken as error:
        raise InvalidSettings([f"dashboard.host, dashboard.port: {error.reason}"]) from None


@contextmanager
def dashboard_context(settings: Settings) -> Iterator[WebContext]:
    """Yield what the pages need, with its threads; call it in a running event loop."""
    dashboard, loop = settings.dashboard, asyncio.get_running_loop()
    feed = LiveFeed(dashboard.max_live_pages)
    with ExitStack() as stack:
        operators = Operators(stack.enter_context(open_key_store(settings)), settings.stream)
        operators.refresh()
        check_exposure(dashboard, operators, settings.stream)
        stack.enter_context(BackgroundThread("dashboard-keys", operators.watch))
        registry = stack.enter_context(open_registry(settings))
        state = stack.enter_context(DashboardState(settings))

        def wake(_: int) -> None:
            loop.call_soon_threadsafe(feed.notify)

        stack.enter_context(state.subscribe(wake))
        yield WebContext(
            stream=settings.stream,
            settings=dashboard,
            needs_key=needs_key(dashboard),
            state=state,
            actions=RegistryActions(settings, registry),
            letters=RedriveActions(settings),
            operators=operators,
            sessions=Sessions(),
            renderer=Renderer(settings.stream),
            feed=feed,
        )


def needs_key(dashboard: DashboardSettings) -> bool:
    """Return whether pages need a key."""
    return dashboard.require_key or not is_loopback(dashboard.host)


def check_exposure(dashboard: DashboardSettings, operators: Operators, stream: str) -> None:
    """Check that an address which other machines reach has keys; log who may see the pages.

    Raises:
        InvalidSettings: it has none.
    """
    log = structlog.get_logger(__name__)
    if needs_key(dashboard) and not operators.has_keys:
        problem = (
            "dashboard.host: the pages need a key, and no API key permits them; create one with"
            f" `modstream keys create NAME --scope read:{stream}`, or listen on 127.0.0.1 without"
            " dashboard.require_key"
        )
        raise InvalidSettings([problem])
    if not is_loopback(dashboard.host) and not dashboard.origin.startswith("https://"):
        log.warning("keys and pages travel unencrypted: end TLS before the dashboard")
    if not operators.has_managers:
        log.info("read-only: no key permits changes", scope=f"manage:{stream}")
