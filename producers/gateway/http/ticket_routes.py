"""Routes of tickets: answers that come later than their callers could wait."""

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from modstream.producers.gateway.access import Verb
from modstream.producers.gateway.calls import Outcome
from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import GatewayError
from modstream.producers.gateway.http.answers import outcome_response
from modstream.producers.gateway.http.context import authorize, context_of, waiting_of
from modstream.producers.gateway.http.infer_routes import write_oip
from modstream.producers.gateway.http.stream_routes import write_row
from modstream.producers.gateway.tickets import decode_ticket

HEARTBEAT_SECONDS = 10.0
"""Time between two comments of an event stream, so that nothing between closes it."""
EVENT_SECONDS = 3600.0
"""The longest time of an event stream."""


async def redeem(request: Request) -> Response:
    """Return the answer of a ticket, or 202 as long as there is none."""
    context, text = context_of(request), request.path_params["ticket"]
    authorize_ticket(request, text)
    waiting = waiting_of(request, 0.0)
    outcome = await context.data.redeem(text, waiting.seconds)
    return answer(outcome)


async def events(request: Request) -> Response:
    """Send the answer of a ticket as a server-sent event when it arrives, and end."""
    context, text = context_of(request), request.path_params["ticket"]
    authorize_ticket(request, text)
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(
        event_stream(context, text), media_type="text/event-stream", headers=headers
    )


def authorize_ticket(request: Request, text: str) -> None:
    """Check that the caller may ask the stream that a ticket belongs to."""
    stream = decode_ticket(text).stream
    authorize(request, Verb.PREDICT, stream)
    context_of(request).data.stream(stream)


def answer(outcome: Outcome) -> Response:
    """Return the response for a ticket's outcome, in the form of its request."""
    return outcome_response(outcome, write_row if outcome.ticket.form == "row" else write_oip)


async def event_stream(context: GatewayContext, text: str) -> AsyncIterator[bytes]:
    """Yield comments until the answer arrives, and then one event with its JSON."""
    for _ in range(int(EVENT_SECONDS / HEARTBEAT_SECONDS)):
        try:
            outcome = await context.data.redeem(text, HEARTBEAT_SECONDS)
        except GatewayError as error:
            document = {"error": str(error), "code": error.code}
            yield event("error", msgspec.json.encode(document))
            return
        if outcome.reply is not None:
            kind = "error" if outcome.reply.is_error else "prediction"
            yield event(kind, bytes(answer(outcome).body))
            return
        yield b": waiting\n\n"


def event(kind: str, document: bytes) -> bytes:
    """Return a server-sent event with a JSON document, which has no line breaks."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), document)
