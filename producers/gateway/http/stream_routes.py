"""Routes of streams: predictions of rows by name, labels, and precomputed predictions."""

from hashlib import sha256

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.producers.gateway.access import Verb
from modstream.producers.gateway.call_tracing import CallRoute
from modstream.producers.gateway.calls import Call
from modstream.producers.gateway.errors import InvalidCall, NotFound
from modstream.producers.gateway.exchange import now_ms
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
    trace_of,
    waiting_of,
)
from modstream.producers.gateway.http.event_calls import read_event
from modstream.producers.gateway.labels import read_labels
from modstream.producers.gateway.replies import Reply
from modstream.producers.gateway.rows import read_row_call, write_row_answer
from modstream.producers.gateway.tickets import Ticket

PREDICT_ROUTE = CallRoute("http", "/v1/streams/{stream}/predict")
LABEL_ROUTE = CallRoute("http", "/v1/streams/{stream}/labels")
KEY_HEADER = b"modstream-key"
"""Header with the key of a request, for callers that do not write it into the body."""


async def predict(request: Request) -> Response:
    """Answer a request for predictions of rows by name."""
    context, stream = context_of(request), request.path_params["stream"]
    caller = authorize(request, Verb.PREDICT, stream)
    context.data.stream(stream)
    body = read_event(request, await body_of(request))
    row = read_row_call(body)
    key = row.key or find_header(request, KEY_HEADER)
    if key is not None and len(key) > MAX_ID_LENGTH:
        raise InvalidCall(f"the key has more than {MAX_ID_LENGTH} characters")
    once = idempotency_key_of(request)
    call = Call(
        stream,
        row.model,
        "row",
        row.encode,
        waiting_of(request),
        client_id=row.id,
        key=key,
        idempotency_key=once,
        digest="" if once is None else sha256(body).hexdigest(),
        caller=caller,
        trace=trace_of(request),
        route=PREDICT_ROUTE,
    )
    return outcome_response(await context.measured(call), write_row)


def write_row(ticket: Ticket, reply: Reply) -> Response:
    """Return the response with a prediction as outputs by name."""
    return Response(write_row_answer(ticket, reply.value), 200, None, JSON)


async def label(request: Request) -> Response:
    """Take one label or several labels."""
    context, stream = context_of(request), request.path_params["stream"]
    authorize(request, Verb.LABEL, stream)
    context.data.stream(stream)
    labels = read_labels(await body_of(request), now_ms())
    await context.label(LABEL_ROUTE, stream, labels, trace_of(request))
    return json_response({"accepted": len(labels)}, 202)


async def stored_prediction(request: Request) -> Response:
    """Return the newest precomputed prediction of a key."""
    context = context_of(request)
    model, key = request.path_params["model"], request.path_params["key"]
    authorize(request, Verb.READ, context.data.default_stream)
    found = await context.find_stored(model, key)
    if found is None:
        raise NotFound(f"the store has no prediction of model {model} for the key {key!r}")
    document = {
        "model": found.model,
        "key": key,
        "version": found.version,
        "outputs": msgspec.Raw(found.outputs),
        "age_seconds": round(found.age, 3),
        "stale": found.is_stale,
    }
    return json_response(document)
