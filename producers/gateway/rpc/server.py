"""The gRPC server, on the event loop of HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc import ServerCredentials, aio

from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import AddressTaken
from modstream.producers.gateway.protocol.stubs.health_pb2_grpc import (
    add_HealthServicer_to_server,
)
from modstream.producers.gateway.protocol.stubs.inference_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server,
)
from modstream.producers.gateway.rpc.health import GatewayHealthServicer
from modstream.producers.gateway.rpc.malformed import TolerantServer
from modstream.producers.gateway.rpc.servicer import InferenceServicer
from modstream.producers.gateway.settings import GatewaySettings

SHUTDOWN_SECONDS = 10


@asynccontextmanager
async def grpc_server(
    gateway: GatewayContext, credentials: ServerCredentials | None = None
) -> AsyncIterator[str]:
    """Serve gRPC as long as the context, and yield the address; calls in hand are answered first.

    Raises:
        AddressTaken: the address cannot be listened on.
    """
    settings = gateway.settings
    server = aio.server(options=server_options(settings))
    tolerant = TolerantServer(server)
    # The generated functions call two methods of a server, which this one has.
    add_GRPCInferenceServiceServicer_to_server(InferenceServicer(gateway), tolerant)  # type: ignore[arg-type]
    add_HealthServicer_to_server(GatewayHealthServicer(gateway), tolerant)  # type: ignore[arg-type]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.grpc_port}"
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise AddressTaken(settings.host, settings.grpc_port, str(error)) from None
    await server.start()
    try:
        yield f"{host}:{port}"
    finally:
        await server.stop(SHUTDOWN_SECONDS)


def server_options(settings: GatewaySettings) -> list[tuple[str, int]]:
    """Return the options of a server: its limits, and a port of its own."""
    return [
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
    ]
