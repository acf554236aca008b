"""The standard health service of gRPC, `grpc.health.v1`, for load balancers and Kubernetes."""

import asyncio
from collections.abc import AsyncIterator

from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import NotFound
from modstream.producers.gateway.protocol.stubs import health_pb2 as pb
from modstream.producers.gateway.protocol.stubs.health_pb2_grpc import HealthServicer
from modstream.producers.gateway.rpc.calls import Context, answered

SERVICES = {"", "inference.GRPCInferenceService"}
WATCH_SECONDS = 1.0
"""How often a watched state is looked at."""


class GatewayHealthServicer(HealthServicer):
    """Says whether requests are answered."""

    def __init__(self, gateway: GatewayContext) -> None:
        self._gateway = gateway

    @answered
    async def Check(  # noqa: N802 - the protocol's name
        self, request: pb.HealthCheckRequest, _context: Context
    ) -> pb.HealthCheckResponse:
        """Return the present state of a service."""
        if request.service not in SERVICES:
            raise NotFound("there is no such service")
        return pb.HealthCheckResponse(status=self._status())

    async def Watch(  # noqa: N802
        self, request: pb.HealthCheckRequest, _context: Context
    ) -> AsyncIterator[pb.HealthCheckResponse]:
        """Yield the state of a service whenever it changes."""
        before = None
        while True:
            is_known = request.service in SERVICES
            state = self._status() if is_known else pb.HealthCheckResponse.SERVICE_UNKNOWN
            if state != before:
                before = state
                yield pb.HealthCheckResponse(status=state)
            await asyncio.sleep(WATCH_SECONDS)

    def _status(self) -> pb.HealthCheckResponse.ServingStatus:
        gateway = self._gateway
        if gateway.presence.problem(gateway.data.default_stream) is None:
            return pb.HealthCheckResponse.SERVING
        return pb.HealthCheckResponse.NOT_SERVING
