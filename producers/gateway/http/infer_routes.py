"""Routes of the Open Inference Protocol V2, with Triton's statistics and index of models.

Source: https://github.com/kserve/open-inference-protocol, and the protocol extensions of Triton
Inference Server (https://github.com/triton-inference-server/server, docs/protocol).
"""

import asyncio
from functools import partial
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from modstream.producers.gateway.access import Verb
from modstream.producers.gateway.call_tracing import CallRoute
from modstream.producers.gateway.calls import Call
from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import NotImplementedHere
from modstream.producers.gateway.http.answers import (
    JSON,
    json_response,
    outcome_response,
)
from modstream.producers.gateway.http.context import (
    authorize,
    body_of,
    context_of,
    find_header,
    idempotency_key_of,
    read_json,
    trace_of,
    waiting_of,
)
from modstream.producers.gateway.http.stream_routes import KEY_HEADER
from modstream.producers.gateway.models import (
    describe_model,
    model_readiness,
    parse_version,
    require_model_name,
)
from modstream.producers.gateway.protocol.infer_call import InferCall
from modstream.producers.gateway.protocol.metadata import (
    model_config,
    model_metadata,
    read_index_request,
    repository_index,
    server_metadata,
)
from modstream.producers.gateway.protocol.metadata import statistics as statistics_document
from modstream.producers.gateway.protocol.rest_codec import LENGTH_HEADER, read_infer, write_infer
from modstream.producers.gateway.replies import Reply
from modstream.producers.gateway.tickets import Ticket

BINARY = "application/octet-stream"
LENGTH_NAME = LENGTH_HEADER.lower().encode()
ROUTE = CallRoute("http", "/v2/models/{model}/infer")
VERSION_ROUTE = CallRoute("http", "/v2/models/{model}/versions/{version}/infer")


async def infer(request: Request) -> Response:
    """Answer an inference request in JSON or with raw tensors."""
    context, model = context_of(request), request.path_params["model"]
    stream = context.data.default_stream
    caller = authorize(request, Verb.PREDICT, stream)
    require_model_name(model)
    version = parse_version(request.path_params.get("version"))
    body = await body_of(request)
    inference = read_infer(body, find_header(request, LENGTH_NAME))
    once = idempotency_key_of(request)
    call = Call(
        stream,
        model,
        "oip",
        lambda request_id: inference.encode(request_id, model, version),
        waiting_of(request, inference.timeout_seconds),
        client_id=inference.client_id,
        key=inference.key or find_header(request, KEY_HEADER),
        idempotency_key=once,
        digest="" if once is None else sha256(f"{model}/{version}\n".encode() + body).hexdigest(),
        caller=caller,
        trace=trace_of(request),
        route=VERSION_ROUTE if "version" in request.path_params else ROUTE,
    )
    return outcome_response(await context.measured(call), partial(_write, inference))


def write_oip(ticket: Ticket, reply: Reply) -> Response:
    """Return the response with a prediction as JSON tensors, for a ticket."""
    return _write(InferCall(ticket.client_id, b"[]"), ticket, reply)


def _write(inference: InferCall, ticket: Ticket, reply: Reply) -> Response:
    body, json_length = write_infer(inference, ticket.id, reply.value)
    if json_length is None:
        return Response(body, 200, None, JSON)
    return Response(body, 200, {LENGTH_HEADER: str(json_length)}, BINARY)


async def server(request: Request) -> Response:
    """Return the metadata of the server."""
    context = _reader(request)
    return json_response(server_metadata(context.version))


async def live(_: Request) -> Response:
    """Say that the gateway runs."""
    return json_response({"live": True})


async def ready(request: Request) -> Response:
    """Say whether requests are answered: whether Kafka responds and the stream has workers."""
    context = context_of(request)
    reason = context.presence.problem(context.data.default_stream)
    if reason is None:
        return json_response({"ready": True})
    return json_response({"ready": False, "error": reason}, 503, {"Retry-After": "1"})


async def model(request: Request) -> Response:
    """Return the metadata of a model or of a version."""
    context, name, version = _asked(request)
    found = await asyncio.to_thread(describe_model, context.catalog, name, version)
    return json_response(model_metadata(found))


async def config(request: Request) -> Response:
    """Return the configuration of a model, as far as Triton's applies."""
    context, name, version = _asked(request)
    found = await asyncio.to_thread(describe_model, context.catalog, name, version)
    return json_response(model_config(found))


async def model_ready(request: Request) -> Response:
    """Say whether requests to a model are answered."""
    context, name, version = _asked(request)
    stream = context.data.default_stream
    reason = await asyncio.to_thread(
        model_readiness, context.catalog, context.presence, stream, name, version
    )
    if reason is None:
        return json_response({"name": name, "ready": True})
    document = {"name": name, "ready": False, "error": reason}
    return json_response(document, 503, {"Retry-After": "1"})


async def statistics(request: Request) -> Response:
    """Return the counts and durations of all models, of one, or of one version."""
    context = _reader(request)
    name, version = map(request.path_params.get, ("model", "version"))
    found = list(context.statistics.of(name, version))
    if name is not None and not found:
        await asyncio.to_thread(describe_model, context.catalog, name, parse_version(version))
    return json_response(statistics_document(found))


async def index(request: Request) -> Response:
    """Return all models with their versions and states."""
    context = _reader(request)
    body = await body_of(request)
    ready_only = read_index_request(read_json(body) if body.strip() else None)
    found = await asyncio.to_thread(context.catalog.index)
    return json_response(repository_index(found, ready_only=ready_only))


async def load_or_unload(request: Request) -> Response:
    """Refuse: workers load what is published."""
    _reader(request)
    raise NotImplementedHere(
        "models are loaded by the workers as they are published: `modstream models publish`,"
        " `modstream models promote`"
    )


def _reader(request: Request) -> GatewayContext:
    context = context_of(request)
    authorize(request, Verb.READ, context.data.default_stream)
    return context


def _asked(request: Request) -> tuple[GatewayContext, str, int | str]:
    context, name = _reader(request), request.path_params["model"]
    return context, name, parse_version(request.path_params.get("version"))
