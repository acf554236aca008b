"""The HTTP server of a process's metrics: one thread, one path."""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from modstream.errors import MetricsAddressTaken
from modstream.metrics_settings import MetricsSettings
from modstream.process.background import BackgroundThread

PATH = "/metrics"
CLIENT_SECONDS = 5.0
"""How long a client may take to send its request or to read the answer: it holds up all others."""
POLL_SECONDS = 0.2
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


@contextmanager
def serve_metrics(registry: CollectorRegistry, settings: MetricsSettings) -> Iterator[str]:
    """Serve the metrics of a registry as long as the context; yield `host:port`.

    A scraper that accepts OpenMetrics gets it, with exemplars; all others get Prometheus' text.

    Raises:
        MetricsAddressTaken: the address cannot be listened on.
    """
    try:
        server = _Server(settings)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MetricsAddressTaken(settings.host, settings.port, reason) from None
    server.set_app(only_metrics(make_wsgi_app(registry)))
    with server, BackgroundThread("metrics", lambda _: server.serve_forever(POLL_SECONDS)):
        try:
            yield server.address
        finally:
            server.shutdown()


def only_metrics(app: WsgiApp) -> WsgiApp:
    """Return an application that answers `/metrics` only."""

    def route(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH:
            return app(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"metrics are at /metrics\n"]

    return route


class _Server(WSGIServer):
    """A WSGI server that answers one client at a time."""

    def __init__(self, settings: MetricsSettings) -> None:
        """Listen on the address of the settings."""
        host = settings.host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, settings.port), _Handler)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name, which may take seconds."""
        socket_ = self.socket
        socket_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket_.bind(self.server_address)
        self.server_address = socket_.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, *_: object) -> None:
        """Ignore a client that went away or was too slow."""


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def address_string(self) -> str:
        """Return the client's address without a look-up of its name."""
        return str(self.client_address[0])

    def log_message(self, *_: object) -> None:
        """Log no scrape."""
