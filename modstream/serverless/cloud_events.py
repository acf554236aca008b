"""CloudEvents 1.0: requests as the data of events, and answers as events.

An event arrives structured, as one JSON document; in binary mode, with its attributes in `ce-`
headers and its data as the body; or with others in a batch. Its answer has the same mode. Source:
https://github.com/cloudevents/spec (cloudevents/bindings/http-protocol-binding.md).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from modstream.broker.errors import DecodeError, NotJson
from modstream.broker.wire.cloud_events import (
    BATCHED,
    ERROR_TYPE,
    JSON_TYPE,
    PREDICTION_TYPE,
    STRUCTURED,
    EventHeaders,
    answer_source,
    check_attributes,
    event_data,
    header_text,
    request_document,
)
from modstream.broker.wire.codec import as_unicode
from modstream.broker.wire.event_requests import open_event
from modstream.broker.wire.identifiers import usable_id
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.serverless.answers import Answer, Asked
from modstream.serverless.http_events import HttpRequest, respond, retry_headers, status_of

VERSION_HEADER = "ce-specversion"


def is_cloud_event(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON document is meant as a structured event."""
    return "specversion" in document


def asked_by_event(event: object, default_id: str) -> Asked:
    """Return the request that a structured event carries; its default id is the event's."""
    given = event.get("id") if isinstance(event, dict) else None
    event_id = usable_id(given) if isinstance(given, str) and given else default_id
    record = Record("cloudevents", 0, 0, None, b"")
    try:
        value = request_document(event_data(check_attributes(event)), event_id)
    except DecodeError as error:
        return Asked(record, event_id, error)
    return Asked(record._replace(value=value), event_id)


def asked_by_http(request: HttpRequest) -> list[Asked]:
    """Return the requests of the events in an HTTP request of any mode."""
    if request.fault is not None:
        return [request.asked()]
    if request.content_type not in {STRUCTURED, BATCHED}:
        return [_asked_by_headers(request)]
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        return [Asked(Record("cloudevents", 0, 0, None, b""), request.request_id, _fault(error))]
    events = document if request.content_type == BATCHED else [document]
    if not isinstance(events, list):
        events = [events]
    return [
        asked_by_event(event, f"{request.request_id}:{number}")
        for number, event in enumerate(events)
    ]


def uses_cloud_events(request: HttpRequest) -> bool:
    """Return whether an HTTP request carries events."""
    return VERSION_HEADER in request.headers or request.content_type in {STRUCTURED, BATCHED}


def answer_event(answer: Answer) -> dict[str, Any]:
    """Return an answer as a structured event.

    Source and id are the same each time that the request is answered by the same version.
    """
    return {**_attributes(answer), "datacontenttype": JSON_TYPE, "data": answer.document()}


def respond_events(request: HttpRequest, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the response with the answers, in the mode of the request.

    A batch with a failure to retry fails as a whole, since its sender can only repeat all of it.
    """
    failed = next((answer for answer in answers if answer.is_temporary), None)
    if request.content_type == BATCHED:
        status, headers = (
            (200, {}) if failed is None else (status_of(failed), retry_headers(failed))
        )
        headers = {**headers, "content-type": BATCHED}
        return respond(status, [answer_event(answer) for answer in answers], headers)
    answer = answers[0]
    status, headers = status_of(answer), retry_headers(answer)
    if request.content_type == STRUCTURED:
        return respond(status, answer_event(answer), {**headers, "content-type": STRUCTURED})
    attributes = {f"ce-{name}": header_text(text) for name, text in _attributes(answer).items()}
    return respond(status, answer.document(), {**headers, **attributes})


def _asked_by_headers(request: HttpRequest) -> Asked:
    attributes = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in request.headers.items()
        if name.startswith("ce-")
    }
    asked = request.asked()
    length = request.headers.get(Header.JSON_LENGTH)
    event = EventHeaders(attributes, json_length=None if length is None else length.encode())
    opened = open_event(asked.record, event)
    context = opened.context
    default_id = usable_id(request.request_id) if context is None else context.request_id
    return Asked(opened.record, default_id, opened.error, asked.model, asked.version)


def _fault(error: Exception) -> NotJson:
    return NotJson("it is nested too deeply" if isinstance(error, RecursionError) else str(error))


def _attributes(answer: Answer) -> dict[str, str]:
    card = answer.card
    return {
        "specversion": "1.0",
        "id": as_unicode(answer.request_id),
        "source": answer_source(answer.model, None if card is None else card.version),
        "type": PREDICTION_TYPE if card is not None else ERROR_TYPE,
    }
