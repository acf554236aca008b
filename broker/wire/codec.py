"""The one place where contracts become bytes and bytes become contracts.

`fast.py` knows a short way for the usual ones; what it does not take comes here.
"""

import json
from typing import TypeVar

from pydantic import ValidationError

from modstream.broker.errors import ContractViolated, DecodeError, NotJson, RecordTooLarge
from modstream.broker.wire.contracts import Contract, ErrorAnswer, Prediction, Request
from modstream.broker.wire.records import Record
from modstream.broker.wire.tensor_binary import filled, split
from modstream.broker.wire.topics import Header

C = TypeVar("C", bound=Contract)

PREDICTION = b"prediction"
ERROR = b"error"
LONGEST_ID = 256


def encode(message: Contract) -> bytes:
    """The JSON bytes of a message; absent optional fields are left out."""
    return message.__pydantic_serializer__.to_json(message, exclude_none=True)


def decode(contract: type[C], value: bytes | None, limit: int | None = None) -> C:
    """Read one message from a record's value.

    Args:
        contract: the message that the topic carries.
        value: the record's bytes; None is a tombstone and no message.
        limit: most bytes accepted, or None.

    Raises:
        RecordTooLarge: the value has more bytes than `limit`.
        NotJson: the value is no JSON document.
        ContractViolated: it is JSON, yet breaks the contract; carries the id where one is legible.
    """
    value = bounded(value, limit)
    try:
        return contract.model_validate_json(value)
    except ValidationError as error:
        raise violated(contract, error, value) from None


def decode_request(record: Record, limit: int | None = None) -> Request:
    """Read a request, with its raw tensors if it has any; `limit` and errors are `decode`'s."""
    bounded(record.value, limit)
    document, tail = split(record)
    if tail is None:
        return decode(Request, document)
    try:
        return Request.model_validate(filled(json.loads(document), tail))
    except json.JSONDecodeError as error:
        raise NotJson(str(error)) from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValidationError as error:
        raise violated(Request, error, document) from None
    except ValueError as error:
        raise ContractViolated("Request", str(error), legible_id(document)) from None


def bounded(value: bytes | None, limit: int | None) -> bytes:
    """A record's value if there is one of at most so many bytes; else raises as `decode` does."""
    if value is None:
        raise NotJson("the record has no value")
    if limit is not None and len(value) > limit:
        raise RecordTooLarge(len(value), limit)
    return value


def violated(contract: type[Contract], error: ValidationError, value: bytes) -> DecodeError:
    """Why a document is not the message it should be, by its first fault."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return NotJson(first["msg"].removeprefix("Invalid JSON: "))
    place = ".".join(str(part) for part in first["loc"])
    reason = f"{place}: {first['msg']}" if place else first["msg"]
    return ContractViolated(contract.__name__, reason, legible_id(value))


def decode_answer(record: Record, limit: int | None = None) -> Prediction | ErrorAnswer:
    """Read a record of a predictions topic: its kind header tells which contract it follows."""
    if record.header(Header.KIND) == ERROR:
        return decode(ErrorAnswer, record.value, limit)
    return decode(Prediction, record.value, limit)


def legible_id(value: bytes) -> str | None:
    """The request id of a document that broke its contract, so that its sender can be told."""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return None
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= LONGEST_ID else None
