"""Calls for predictions of rows as CloudEvents, in binary or structured mode, and their answers.

Source: https://github.com/cloudevents/spec (cloudevents/bindings/http-protocol-binding.md).
"""

from collections.abc import Awaitable, Callable, Mapping
from time import time
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modstream.broker.errors import DecodeError
from modstream.broker.wire.cloud_events import (
    CAUSATION,
    COPIED,
    ERROR_TYPE,
    JSON_TYPE,
    PREDICTION_TYPE,
    REQUIRED,
    STRUCTURED,
    EventContext,
    answer_source,
    check_attributes,
    error_source,
    event_data,
    format_time,
    header_text,
    media_type_of,
    read_structured,
    refuse_format,
    request_document,
)
from modstream.producers.gateway.errors import InvalidCall, UnsupportedEncoding
from modstream.producers.gateway.http.context import find_header, header_of

Endpoint = Callable[[Request], Awaitable[Response]]
EVENT = "modstream.event"
"""The key of the event in the scope of a request, once it was read."""
PREFIX = "ce-"
ATTRIBUTE_HEADERS: Mapping[str, bytes] = MappingProxyType(
    {name: f"{PREFIX}{name}".encode() for name in (*REQUIRED, *COPIED)}
)
"""The header of each attribute that is read, by its name."""
STATUS_ANSWERED = 200


class EventCall(NamedTuple):
    """What the answer to an event needs of it: its context, its mode, and the stream asked."""

    context: EventContext
    is_structured: bool
    stream: str


class AnswerFields(msgspec.Struct):
    """What is read of a prediction's body."""

    request_id: str
    model: str
    version: int


def read_event(request: Request, body: bytes) -> bytes:
    """Return the body of a call: the request in the event that it is, else the body itself.

    An event is noted in the scope of the request, so that its answer becomes an event, too.

    Raises:
        InvalidCall: the event is invalid.
        UnsupportedEncoding: its format is not supported.
    """
    media_type = media_type_of(header_of(request, b"content-type"))
    if (fault := refuse_format(media_type)) is not None:
        raise UnsupportedEncoding(fault)
    is_structured = media_type == STRUCTURED
    if not is_structured and all(
        find_header(request, ATTRIBUTE_HEADERS[name]) is None for name in REQUIRED
    ):
        return body
    try:
        attributes = read_structured(body) if is_structured else _attributes(request)
        check_attributes(attributes)
        data = event_data(attributes) if is_structured else body
    except DecodeError as error:
        raise InvalidCall(str(error)) from None
    context = EventContext.of(attributes)
    if context is None:
        raise InvalidCall("the event has no id")
    stream = request.path_params["stream"]
    request.scope[EVENT] = EventCall(context, is_structured, stream)
    return request_document(data, context.request_id)


def answering_events(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers events by events, and all other calls as before."""

    async def run(request: Request) -> Response:
        response = await endpoint(request)
        event: EventCall | None = request.scope.get(EVENT)
        return response if event is None else event_response(event, response)

    return run


def event_response(event: EventCall, response: Response) -> Response:
    """Return the answer to an event as an event, in its mode; a ticket is none and stays as it is.

    The answer to a repeated request has the same source and id.
    """
    status, body = response.status_code, bytes(response.body)
    if STATUS_ANSWERED < status < 300:
        return response
    attributes = {
        "specversion": "1.0",
        **_identity(event, body, is_answered=status == STATUS_ANSWERED),
        "time": format_time(time()),
        CAUSATION: event.context.request_id,
        **event.context.copied,
    }
    kept = {
        name: value
        for name, value in response.headers.items()
        if name not in {"content-type", "content-length"}
    }
    if event.is_structured:
        document = {**attributes, "datacontenttype": JSON_TYPE, "data": msgspec.Raw(body)}
        return Response(msgspec.json.encode(document), status, kept, STRUCTURED)
    headers = {f"{PREFIX}{name}": header_text(value) for name, value in attributes.items()}
    return Response(body, status, {**kept, **headers}, JSON_TYPE)


def _identity(event: EventCall, body: bytes, *, is_answered: bool) -> dict[str, str]:
    """Return the id, source and type of an answer."""
    if is_answered:
        found = msgspec.json.decode(body, type=AnswerFields)
        source = answer_source(found.model, found.version)
        return {"id": found.request_id, "source": source, "type": PREDICTION_TYPE}
    return {"id": uuid4().hex, "source": error_source(event.stream), "type": ERROR_TYPE}


def _attributes(request: Request) -> dict[str, Any]:
    """Return the attributes in the headers of a request in binary mode."""
    found = {name: find_header(request, header) for name, header in ATTRIBUTE_HEADERS.items()}
    return {name: unquote(value) for name, value in found.items() if value is not None}
