"""CloudEvents 1.0: the attributes of an event and its data, whichever protocol carries it.

An event is in binary mode, with its attributes in headers and its data as the value; or in
structured mode, as one JSON document. Sources: https://github.com/cloudevents/spec
(cloudevents/spec.md, cloudevents/formats/json-format.md, cloudevents/bindings).
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from modstream.broker.errors import ContractViolated, NotJson
from modstream.broker.wire.identifiers import usable_id
from modstream.broker.wire.topics import Header

REQUIRED = ("specversion", "id", "source", "type")
"""The attributes that each event has."""
MEDIA_TYPE = "application/cloudevents"
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
CONTENT_TYPE = "content-type"
JSON_TYPE = "application/json"
KAFKA_PREFIX = "ce_"
"""The prefix of headers with attributes in Kafka; in HTTP it is `ce-`."""
PREDICTION_TYPE, ERROR_TYPE = "modstream.prediction", "modstream.error"
CAUSATION = "causationid"
"""The attribute of an answer with the id of the event that it answers, by CloudEvents' extension
for correlation (cloudevents/extensions/correlation.md)."""
COPIED = ("correlationid", "traceparent", "tracestate")
"""The attributes of a request that its answer has, too."""
MAX_COPIED_LENGTH = 512
SIGNS = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""The signs that an HTTP header has as they are; others are percent-encoded."""

EVENT_HEADERS = frozenset({CONTENT_TYPE, *(KAFKA_PREFIX + name for name in REQUIRED)})
"""Headers of Kafka by which a record may be an event."""


class EventHeaders(NamedTuple):
    """What the headers of a record say of the event in it.

    `attributes` are those of binary mode, in which raw tensors may follow `json_length` bytes of
    JSON. `fault` is the reason why the event cannot be read.
    """

    attributes: Mapping[str, str]
    is_structured: bool = False
    fault: str | None = None
    json_length: bytes | None = None


@dataclass(frozen=True, slots=True)
class EventContext:
    """What an answer repeats of the event that it answers.

    `request_id` is the id of the request if its data have none: that of the event, or its SHA-256
    if it is longer than ids are. `copied` are the attributes that the answer has, too.
    """

    request_id: str
    source: str
    copied: Mapping[str, str]

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> "EventContext | None":
        """Return that of an event; None if it has no readable id. Its other attributes may lack."""
        found, source = attributes.get("id"), attributes.get("source")
        if not isinstance(found, str) or not found:
            return None
        copied = {
            name: value
            for name in COPIED
            if isinstance(value := attributes.get(name), str) and len(value) <= MAX_COPIED_LENGTH
        }
        return cls(usable_id(found), source if isinstance(source, str) else "", copied)

    @property
    def identity(self) -> str:
        """A short text that no other event has: ids are unique only within one source."""
        return usable_id(f"{self.source}\n{self.request_id}")


def find_event(headers: Mapping[str, bytes | None]) -> EventHeaders | None:
    """Return what headers of Kafka say of an event; None if the record is none.

    A record is an event if a required attribute is among its headers, or if its content type is
    that of an event.

    Args:
        headers: the last value of each header; names are in lower case.
    """
    media_type = media_type_of((headers.get(CONTENT_TYPE) or b"").decode(errors="replace"))
    if media_type == STRUCTURED:
        return EventHeaders({}, is_structured=True)
    fault = refuse_format(media_type)
    if fault is None and not any(KAFKA_PREFIX + name in headers for name in REQUIRED):
        return None
    attributes = {}
    for name in (*REQUIRED, *COPIED):
        value = headers.get(KAFKA_PREFIX + name)
        if value is not None:
            try:
                attributes[name] = value.decode()
            except UnicodeDecodeError:
                fault = fault or f"the header {KAFKA_PREFIX}{name} is not UTF-8"
    return EventHeaders(attributes, False, fault, headers.get(Header.JSON_LENGTH))


def media_type_of(content_type: str) -> str:
    """Return the media type of a content type, without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def refuse_format(media_type: str) -> str | None:
    """Return the reason why events of a media type are refused; None if it is none of events."""
    if media_type == BATCHED:
        return f"a batch ({BATCHED}) has no single answer: send each event by itself"
    if media_type.startswith(MEDIA_TYPE) and media_type != STRUCTURED:
        return f"the format {media_type[:80]!a} is not supported: use {STRUCTURED}, or binary mode"
    return None


def check_attributes(event: object) -> Mapping[str, Any]:
    """Return an event whose required attributes are present.

    Raises:
        ContractViolated: one is missing, empty or not a text, or the version is unknown.
    """
    if not isinstance(event, Mapping):
        raise event_error("it is not a JSON object")
    for name in REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            raise event_error(f"the attribute {name} must be a text", event)
    if event["specversion"] != "1.0":
        found = event["specversion"][:40]
        raise event_error(f"the specversion is {found!r}, and must be '1.0'", event)
    return event


def event_error(reason: str, attributes: Mapping[str, Any] | None = None) -> ContractViolated:
    """Return the error of an invalid event, with the id for its answer if that is readable."""
    context = None if attributes is None else EventContext.of(attributes)
    return ContractViolated("CloudEvent", reason, None if context is None else context.request_id)


def read_structured(document: bytes) -> dict[str, Any]:
    """Return the attributes and the data of a structured event; data other than text stay JSON.

    Raises:
        NotJson: the document is not JSON.
        ContractViolated: it is not an object.
    """
    try:
        fields = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
        return {
            name: raw
            if name == "data" and bytes(memoryview(raw)[:1]) not in {b'"', b"n"}
            else msgspec.json.decode(raw)
            for name, raw in fields.items()
        }
    except msgspec.ValidationError:
        raise event_error("it is not a JSON object") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from None


def event_data(event: Mapping[str, Any]) -> bytes:
    """Return the data of a structured event as bytes; JSON is encoded, text is taken as JSON.

    Raises:
        NotJson: `data_base64` is not base64.
        ContractViolated: the event has no data.
    """
    encoded = event.get("data_base64")
    if encoded is not None:
        try:
            return b64decode(encoded, validate=True)
        except (ValueError, TypeError):
            raise NotJson("data_base64 is not base64") from None
    data = event.get("data")
    if data is None:
        raise event_error("it has neither data nor data_base64", event)
    return data.encode(errors="replace") if isinstance(data, str) else msgspec.json.encode(data)


def request_document(data: bytes, request_id: str) -> bytes:
    """Return the JSON of the request that an event's data are.

    Data with `features` or `inputs` are a request, which gets the id if it has none. Any other
    object is the row itself. What is not a JSON object stays as it is.

    Args:
        data: the data of the event.
        request_id: the id of a request that has none.
    """
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data
    if "features" not in fields and "inputs" not in fields:
        return msgspec.json.encode({"id": request_id, "features": msgspec.Raw(data)})
    if bytes(fields.get("id", b"null")) in {b"null", b'""'}:
        return msgspec.json.encode({**fields, "id": request_id})
    return data


def answer_source(model: str, version: int | str | None = None) -> str:
    """Return the source of answers of a model, or of one version of it."""
    suffix = "" if version is None else f"/versions/{version}"
    return f"/modstream/models/{quote(model)}{suffix}"


def error_source(stream: str) -> str:
    """Return the source of errors that no single model is known to have made."""
    return f"/modstream/streams/{quote(stream)}"


def format_time(seconds: float) -> str:
    """Return a time in seconds since the epoch as the attribute `time` has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def header_text(value: str) -> str:
    """Return the text of an attribute as an HTTP header has it."""
    return quote(value, safe=SIGNS)


def kafka_headers(attributes: Iterable[tuple[str, str]]) -> tuple[tuple[str, bytes], ...]:
    """Return attributes as headers of Kafka."""
    return tuple(
        (KAFKA_PREFIX + name, value.encode(errors="replace")) for name, value in attributes
    )
