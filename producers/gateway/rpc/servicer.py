"""The service `inference.GRPCInferenceService`: the protocol's methods, and Triton's lists."""

import asyncio
from hashlib import sha256

from modstream.producers.gateway.access import Verb
from modstream.producers.gateway.call_tracing import CallRoute
from modstream.producers.gateway.calls import Call
from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import NotFound, NotImplementedHere
from modstream.producers.gateway.http.answers import worker_refusal
from modstream.producers.gateway.models import (
    describe_model,
    model_readiness,
    parse_version,
    require_model_name,
)
from modstream.producers.gateway.protocol import grpc_metadata
from modstream.producers.gateway.protocol.grpc_codec import read_infer, write_infer
from modstream.producers.gateway.protocol.stubs import inference_pb2 as pb
from modstream.producers.gateway.protocol.stubs.inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
)
from modstream.producers.gateway.rpc.calls import (
    Context,
    answered,
    credentials_of,
    metadata_of,
    trace_of,
    waiting_of,
)

INFER_ROUTE = CallRoute("grpc", "inference.GRPCInferenceService/ModelInfer")
KEY = "modstream-key"
IDEMPOTENCY_KEY = "idempotency-key"


class InferenceServicer(GRPCInferenceServiceServicer):
    """Answers the calls of the protocol."""

    def __init__(self, gateway: GatewayContext) -> None:
        self._gateway = gateway

    @answered
    async def ModelInfer(  # noqa: N802 - the protocol's name, as below
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        """Answer an inference request."""
        gateway, model = self._gateway, request.model_name
        stream, metadata = gateway.data.default_stream, metadata_of(context)
        caller = gateway.access.authorize(credentials_of(metadata), Verb.PREDICT, stream)
        require_model_name(model)
        version = parse_version(request.model_version)
        inference = read_infer(request)
        once = metadata.get(IDEMPOTENCY_KEY)
        call = Call(
            stream,
            model,
            "oip",
            lambda request_id: inference.encode(request_id, model, version),
            waiting_of(context, gateway.settings, inference.timeout_seconds),
            client_id=inference.client_id,
            key=inference.key or metadata.get(KEY),
            idempotency_key=once,
            digest="" if once is None else sha256(_canonical(request)).hexdigest(),
            caller=caller,
            trace=trace_of(metadata),
            route=INFER_ROUTE,
        )
        ticket, reply = await gateway.measured(call)
        if reply is None:
            raise NotFound("there is no answer yet")
        if reply.is_error:
            raise worker_refusal(reply)
        return write_infer(inference, ticket.id, reply.value)

    @answered
    async def ServerLive(  # noqa: N802
        self, _request: pb.ServerLiveRequest, _context: Context
    ) -> pb.ServerLiveResponse:
        """Say that the gateway runs."""
        return pb.ServerLiveResponse(live=True)

    @answered
    async def ServerReady(  # noqa: N802
        self, _request: pb.ServerReadyRequest, _context: Context
    ) -> pb.ServerReadyResponse:
        """Say whether requests are answered."""
        gateway = self._gateway
        problem = gateway.presence.problem(gateway.data.default_stream)
        return pb.ServerReadyResponse(ready=problem is None)

    @answered
    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, context: Context
    ) -> pb.ModelReadyResponse:
        """Say whether requests to a model are answered."""
        gateway = self._reader(context)
        stream, version = gateway.data.default_stream, parse_version(request.version)
        try:
            problem = await asyncio.to_thread(
                model_readiness,
                gateway.catalog,
                gateway.presence,
                stream,
                request.name,
                version,
            )
        except NotFound:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=problem is None)

    @answered
    async def ServerMetadata(  # noqa: N802
        self, _request: pb.ServerMetadataRequest, context: Context
    ) -> pb.ServerMetadataResponse:
        """Return the metadata of the server."""
        return grpc_metadata.server_metadata(self._reader(context).version)

    @answered
    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        """Return the metadata of a model or of a version."""
        catalog, version = self._reader(context).catalog, parse_version(request.version)
        found = await asyncio.to_thread(describe_model, catalog, request.name, version)
        return grpc_metadata.model_metadata(found)

    @answered
    async def ModelConfig(  # noqa: N802
        self, request: pb.ModelConfigRequest, context: Context
    ) -> pb.ModelConfigResponse:
        """Return the configuration of a model, as far as Triton's applies."""
        catalog, version = self._reader(context).catalog, parse_version(request.version)
        found = await asyncio.to_thread(describe_model, catalog, request.name, version)
        return grpc_metadata.model_config(found)

    @answered
    async def ModelStatistics(  # noqa: N802
        self, request: pb.ModelStatisticsRequest, context: Context
    ) -> pb.ModelStatisticsResponse:
        """Return the counts and durations of all models, of one, or of one version."""
        gateway = self._reader(context)
        found = list(gateway.statistics.of(request.name or None, request.version or None))
        if request.name and not found:
            version = parse_version(request.version)
            await asyncio.to_thread(describe_model, gateway.catalog, request.name, version)
        return grpc_metadata.statistics(found)

    @answered
    async def RepositoryIndex(  # noqa: N802
        self, request: pb.RepositoryIndexRequest, context: Context
    ) -> pb.RepositoryIndexResponse:
        """Return all models with their versions and states."""
        found = await asyncio.to_thread(self._reader(context).catalog.index)
        return grpc_metadata.repository_index(found, ready_only=request.ready)

    @answered
    async def RepositoryModelLoad(  # noqa: N802
        self, _request: pb.RepositoryModelLoadRequest, _context: Context
    ) -> pb.RepositoryModelLoadResponse:
        """Refuse: workers load what is published."""
        raise NotImplementedHere("workers load models as they are published: `modstream models`")

    @answered
    async def RepositoryModelUnload(  # noqa: N802
        self, _request: pb.RepositoryModelUnloadRequest, _context: Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Refuse: workers load what is published."""
        raise NotImplementedHere("workers load models as they are published: `modstream models`")

    def _reader(self, context: Context) -> GatewayContext:
        gateway, credentials = self._gateway, credentials_of(metadata_of(context))
        gateway.access.authorize(credentials, Verb.READ, gateway.data.default_stream)
        return gateway


def _canonical(request: pb.ModelInferRequest) -> bytes:
    return request.SerializeToString(deterministic=True)
