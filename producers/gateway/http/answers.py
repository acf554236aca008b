"""HTTP responses: every one has a JSON body, errors included, unless it carries raw tensors."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from modstream.producers.gateway.calls import Outcome
from modstream.producers.gateway.errors import GatewayError, WorkerRefusal
from modstream.producers.gateway.replies import Reply, read_error
from modstream.producers.gateway.tickets import Ticket

JSON = "application/json"
TICKET_PATH = "/v2/requests/"
STATUS_PENDING = 202


def json_response(
    document: Any,  # noqa: ANN401 - whatever JSON can express
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a response with a JSON document."""
    return Response(msgspec.json.encode(document), status, headers, JSON)


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    id: str | None = None,  # noqa: A002 - the field's own name
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error: `error` for people, `code` for programs, and the request's id if known."""
    document = {"error": message, "code": code, **({} if id is None else {"id": id})}
    return json_response(document, status, headers)


def refusal_response(error: GatewayError, client_id: str | None = None) -> Response:
    """Return the response for an error of the gateway."""
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return error_response(error.status, error.code, str(error), id=client_id, headers=headers)


def late_response(ticket: Ticket, message: str) -> Response:
    """Return the response to a caller that has waited in vain, with the place of a later answer."""
    headers = {"Location": TICKET_PATH + ticket.encode()}
    found = ticket.client_id or ticket.id
    return error_response(504, "late", message, id=found, headers=headers)


def accepted_response(ticket: Ticket) -> Response:
    """Return the response to a caller that takes a ticket, or asks for an answer still awaited."""
    encoded = ticket.encode()
    document = {
        "status": "pending",
        "id": ticket.client_id or ticket.id,
        "request_id": ticket.id,
        "ticket": encoded,
    }
    headers = {
        "Location": TICKET_PATH + encoded,
        "Retry-After": "1",
        "Preference-Applied": "respond-async",
    }
    return json_response(document, STATUS_PENDING, headers)


def outcome_response(outcome: Outcome, write: Callable[[Ticket, Reply], Response]) -> Response:
    """Return the response for what became of a call; `write` returns that of a prediction."""
    ticket, reply = outcome
    if reply is None:
        return accepted_response(ticket)
    if reply.is_error:
        return refusal_response(worker_refusal(reply), ticket.client_id or ticket.id)
    return write(ticket, reply)


def worker_refusal(reply: Reply) -> WorkerRefusal:
    """Return the error that a worker has answered with."""
    if reply.refusal is not None:
        return WorkerRefusal(*reply.refusal)
    fields = read_error(reply.value)
    return WorkerRefusal(fields.code, fields.message)
