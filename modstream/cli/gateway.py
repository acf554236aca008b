"""`modstream gateway`: answers HTTP and gRPC until Ctrl-C or SIGTERM."""

from typing import Annotated

import structlog
import typer

from modstream import logs
from modstream.cli.options import RouteOption, StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.rights.rights import Role
from modstream.services.gateway import GatewayAddresses, run_gateway
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics
from modstream.telemetry.traces.open import open_tracing

MAX_PORT = 65_535


def gateway(
    stream: StreamArgument = None,
    models: RouteOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=MAX_PORT, help="Port of HTTP, 0 for any free one.")
    ] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(min=-1, max=MAX_PORT, help="Port of gRPC, 0 for any free one, -1 for none."),
    ] = None,
) -> None:
    """Answer prediction requests over HTTP and gRPC by a stream's workers, until Ctrl-C.

    The Open Inference Protocol V2 is at /v2, rows by name and labels are at
    /v1/streams/STREAM/predict and /labels, and the OpenAPI document is at /openapi.json.
    """
    options = {"host": host, "port": port, "grpc_port": grpc_port}
    given = {name: value for name, value in options.items() if value is not None}

    def load() -> Settings:
        route = tuple(models) if models else None
        return load_settings(stream=stream, route=route, gateway=given or None)

    logs.configure(load())
    if (settings := wait_until_ready(load, Role.GATEWAY)) is None:
        return
    with (
        follow_stack(settings, load),
        stop_signals() as stop,
        open_metrics(settings, "gateway", str(settings.gateway.port)) as metrics,
        open_tracing(settings, "gateway", str(settings.gateway.port)) as tracing,
    ):
        run_gateway(settings, stop, log_addresses, metrics, tracing)


def log_addresses(addresses: GatewayAddresses) -> None:
    """Log where the gateway listens."""
    structlog.get_logger(__name__).info("gateway ready", **addresses._asdict())
