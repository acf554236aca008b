"""`modstream dashboard`: serves the pages of a stream until Ctrl-C or SIGTERM."""

from typing import Annotated

import structlog
import typer

from modstream import logs
from modstream.cli.options import RouteOption, StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.rights.rights import Role
from modstream.services.dashboard import run_dashboard
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics

MAX_PORT = 65_535


def dashboard(
    stream: StreamArgument = None,
    models: RouteOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=MAX_PORT, help="Port of HTTP, 0 for any free one.")
    ] = None,
) -> None:
    """Serve the dashboard of a stream until Ctrl-C: rates, lag, models, labels, requests.

    Promotions and rollbacks need an API key with the scope manage:STREAM (`modstream keys create`);
    without one, the dashboard is read-only.
    """
    options = {"host": host, "port": port}
    given = {name: value for name, value in options.items() if value is not None}

    def load() -> Settings:
        route = tuple(models) if models else None
        return load_settings(stream=stream, route=route, dashboard=given or None)

    logs.configure(load())
    if (settings := wait_until_ready(load, Role.DASHBOARD)) is None:
        return
    with (
        follow_stack(settings, load),
        stop_signals() as stop,
        open_metrics(settings, "dashboard", str(settings.dashboard.port)),
    ):
        run_dashboard(settings, stop, log_address)


def log_address(url: str) -> None:
    """Log where the dashboard answers."""
    structlog.get_logger(__name__).info("dashboard ready", url=url)
