"""Requests in CloudEvents: the record of the request that an event carries."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modstream.broker.errors import DecodeError
from modstream.broker.wire.cloud_events import (
    EventContext,
    EventHeaders,
    check_attributes,
    event_data,
    event_error,
    read_structured,
    request_document,
)
from modstream.broker.wire.codec import check_size, decode_request
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.record_batch import RecordBatch, parse_headers
from modstream.broker.wire.records import Record
from modstream.broker.wire.tensor_binary import split_at
from modstream.broker.wire.topics import Header


class EventRequest(NamedTuple):
    """The request in an event.

    `record` has the request as its value, with an id, and the length of its JSON. `context` is what
    the answer repeats; None if the event's id is not readable. `error` is the reason why there is
    no request.
    """

    record: Record
    context: EventContext | None
    error: DecodeError | None = None


def open_event(record: Record, event: EventHeaders, limit: int | None = None) -> EventRequest:
    """Return the request in an event.

    Args:
        record: the record of the event.
        event: what its headers say.
        limit: the maximum number of bytes of the record's value.
    """
    attributes: Mapping[str, Any] = event.attributes
    try:
        value = check_size(record.value, limit)
        if event.is_structured:
            attributes = read_structured(value)
        elif event.fault is not None:
            raise event_error(event.fault)
        check_attributes(attributes)
        if event.is_structured:
            value, length = event_data(attributes), None
        else:
            length = event.json_length
        context = EventContext.of(attributes)
        request_id = "" if context is None else context.request_id
        return EventRequest(_with_document(record, value, length, request_id), context)
    except DecodeError as error:
        context = EventContext.of(attributes)
        return EventRequest(record._replace(value=None), context, _with_id(error, context))


def decode_any(record: Record, limit: int | None = None) -> Request:
    """Decode a request, which may be the data of an event.

    Raises:
        DecodeError: as `decode_request` does; or the event is invalid.
    """
    event = parse_headers(record.headers).event if record.headers else None
    if event is None:
        return decode_request(record, limit)
    return decode_opened(open_event(record, event, limit))


def decode_opened(opened: EventRequest) -> Request:
    """Decode the request in an event; its errors have a readable id of the event.

    Raises:
        DecodeError: as `decode_request` does; or the event is invalid.
    """
    if opened.error is not None:
        raise opened.error
    try:
        return decode_request(opened.record)
    except DecodeError as error:
        raise _with_id(error, opened.context) from None


def open_events(batch: RecordBatch, limit: int | None = None) -> dict[int, EventRequest]:
    """Return the requests in the events of a batch, by position."""
    return {
        position: open_event(batch.records[position], event, limit)
        for position, event in batch.events.items()
    }


def with_opened(batch: RecordBatch, opened: Mapping[int, EventRequest]) -> RecordBatch:
    """Return a batch to decode, with the requests in place of their events."""
    records, headers = list(batch.records), list(batch.headers)
    for position, event in opened.items():
        records[position] = event.record
        length = event.record.header(Header.JSON_LENGTH)
        headers[position] = headers[position]._replace(json_length=length)
    return batch._replace(records=records, headers=headers)


def request_record(record: Record, limit: int | None = None) -> Record:
    """Return the record of a request as it is without an event, with an id in its value.

    A record without an event, or with an invalid one, stays as it is.
    """
    event = parse_headers(record.headers).event if record.headers else None
    if event is None:
        return record
    opened = open_event(record, event, limit)
    return record if opened.error is not None else opened.record


def _with_document(record: Record, value: bytes, length: bytes | None, request_id: str) -> Record:
    """Return the record of a request whose JSON is made from an event's data."""
    others = tuple(one for one in record.headers if one[0].lower() != Header.JSON_LENGTH)
    if length is None:
        return record._replace(value=request_document(value, request_id), headers=others)
    document, tail = split_at(value, length)
    document = request_document(document, request_id)
    header = (Header.JSON_LENGTH.value, str(len(document)).encode())
    return record._replace(value=document + tail, headers=(*others, header))


def _with_id(error: DecodeError, context: EventContext | None) -> DecodeError:
    if error.request_id is None and context is not None:
        error.request_id = context.request_id
    return error
