"""Requests as documents of JSON, in which personal features can be replaced."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from modstream.broker.wire.cloud_events import event_data
from modstream.broker.wire.codec import id_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

Row = dict[str, Any]


@dataclass(slots=True)
class OpenRequest:
    """A request while its personal features are looked at.

    `document` is the whole JSON, which is an event or the request; `rows` are the rows in it.
    """

    person: str
    document: dict[str, Any] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    request_id: str | None = None
    has_changed: bool = False
    """Whether the record must be written anew, also if it has no personal feature."""


def person_of(record: Record, request_id: str | None = None) -> str:
    """Return the person of a request: its key, its id if it has none, or else its position."""
    if record.key is not None:
        return record.key.decode(errors="backslashreplace")
    return request_id or record.position


def read_request(record: Record, *, is_event: bool = False) -> OpenRequest:
    """Return a request with its rows, which may be changed in place.

    Raises:
        ValueError: the value is not JSON.
        RecursionError: it is nested too deeply.
        DecodeError: it is an event whose data are not base64.
    """
    if record.header(Header.JSON_LENGTH) is not None and not is_event:
        return OpenRequest(person_of(record))
    parsed = parse(record.value or b"")
    document = parsed if isinstance(parsed, dict) else {}
    opened = OpenRequest(person_of(record), document)
    request: object = document
    if is_event and "specversion" in document:
        request = document["data"] = _event_data(document)
        document.pop("data_base64", None)
        opened.has_changed = True
    if not isinstance(request, dict):
        return opened
    opened.request_id = id_of(request)
    opened.person = person_of(record, opened.request_id)
    rows: object = request.get("features")
    if is_event and "features" not in request and "inputs" not in request:
        rows = request  # The data of the event are the row.
    listed = rows if isinstance(rows, list) else [rows]
    opened.rows = [row for row in listed if isinstance(row, dict)]
    return opened


def parse(value: bytes) -> Any:  # noqa: ANN401 - any value of JSON
    """Return the value of JSON; NaN and large numbers are read as the decoder of requests does.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return msgspec.json.decode(value)  # a tenth of the time
    except (msgspec.DecodeError, ValueError):
        return json.loads(value)


def write(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON."""
    try:
        written = msgspec.json.encode(document)
    except (msgspec.EncodeError, OverflowError, ValueError):
        written = b""
    # NaN and infinity are written as null; the text may have that word, too.
    if not written or b"null" in written:
        return json.dumps(document, separators=(",", ":")).encode()
    return written


def _event_data(event: Mapping[str, Any]) -> object:
    """Return the data of a structured event as JSON."""
    if "data_base64" not in event and not isinstance(event.get("data"), str):
        return event.get("data")
    return parse(event_data(event))
