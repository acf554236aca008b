"""The HTTP server: uvicorn on a socket of ours, ended by its owner instead of by signals."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modstream.producers.gateway.errors import AddressTaken
from modstream.producers.gateway.http.early_refusals import EarlyRefusals, HasRoom, RefusingProtocol
from modstream.producers.gateway.settings import GatewaySettings

BACKLOG = 2048
SHUTDOWN_SECONDS = 10
"""How long calls may still be answered after the end was asked for."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than load balancers usually keep theirs."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


class HttpServer:
    """An HTTP server that listens from its construction on, and answers while it serves."""

    def __init__(
        self, app: ASGIApp, settings: GatewaySettings, has_room: HasRoom = lambda _: True
    ) -> None:
        """Listen; while `has_room` is false, calls for predictions are refused.

        Raises:
            AddressTaken: the address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            self._socket = socket.create_server(
                (settings.host, settings.port), family=family, backlog=BACKLOG
            )
        except OSError as error:
            raise AddressTaken(settings.host, settings.port, error.strerror or str(error)) from None
        self.refusals = EarlyRefusals(has_room)
        protocol = partial(RefusingProtocol, refusals=self.refusals)
        has_tls = settings.tls_certificate is not None
        port = self._socket.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"{'https' if has_tls else 'http'}://{host}:{port}"
        self._server = _Server(
            uvicorn.Config(
                app,
                http=cast("type[HttpToolsProtocol]", protocol),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                ssl_certfile=settings.tls_certificate,
                ssl_keyfile=settings.tls_key,
            )
        )

    async def serve(self) -> None:
        """Answer calls until `stop` is called; calls in hand are answered first."""
        await self._server.serve([self._socket])

    def stop(self) -> None:
        """End `serve`."""
        self._server.should_exit = True
