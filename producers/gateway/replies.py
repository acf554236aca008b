"""Replies: responses and dead letters as a gateway recognizes them, by headers and undecoded."""

from typing import NamedTuple

import msgspec

from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

REPLY_TO = "reply-to"
"""Header with the name of the gateway that waits for the response."""
CORRELATION_ID = "correlation-id"
"""Header with the id of the request, so that its response is recognized undecoded."""


class Reply(NamedTuple):
    """A response to one request, or its dead letter.

    `model` and `version` are those that respond; those that an error does not name are empty.
    `value` is the JSON of a `Prediction` or an `ErrorResponse`; a
    dead letter has its code and its message in `refusal` instead. `reply_to` is the name of the
    gateway that sent the request.
    """

    id: str
    model: str
    version: str
    value: bytes
    is_error: bool
    reply_to: bytes
    refusal: tuple[str, str] | None = None


def read_reply(record: Record) -> Reply | None:
    """Return the reply that a record of a predictions or dead-letter topic is, if it is one.

    A record without the headers of a gateway is none.
    """
    headers = dict(record.headers)
    correlation_id = headers.get(CORRELATION_ID)
    reply_to = headers.get(REPLY_TO)
    if not correlation_id or not reply_to:
        return None
    request_id = correlation_id.decode(errors="replace")
    kind = headers.get(Header.KIND)
    if kind is None:
        cause = read_cause(record)
        refusal = (cause.get("class.name", "refused"), cause.get("exception.message", ""))
        return Reply(request_id, "", "", b"", True, reply_to, refusal)
    value = record.value or b""
    if kind == KIND_ERROR:
        return Reply(request_id, read_error(value).model, "", value, True, reply_to)
    name = (headers.get(Header.MODEL) or b"").decode(errors="replace")
    model, _, version = name.rpartition("/")
    return Reply(request_id, model, version, value, False, reply_to)


class ErrorFields(msgspec.Struct, frozen=True):
    """What a gateway reads of an `ErrorResponse`."""

    code: str = "refused"
    message: str = ""
    model: str = ""


UNKNOWN_MODEL = "unknown_model"
"""The code of the error for a model, version or alias that does not exist."""
ERROR_DECODER = msgspec.json.Decoder(ErrorFields)


def read_error(value: bytes) -> ErrorFields:
    """Return the fields of an error response; of one that cannot be read, the defaults."""
    try:
        return ERROR_DECODER.decode(value)
    except msgspec.MsgspecError:
        return ErrorFields()


def is_of_unknown_model(reply: Reply) -> bool:
    """Return whether a reply says that the model, the version or the alias does not exist."""
    return reply.is_error and read_error(reply.value).code == UNKNOWN_MODEL
