"""The one place where contracts become bytes and bytes become contracts."""

import json
from typing import TypeVar

from pydantic import ValidationError

from broker.contracts import Contract, ErrorAnswer, Prediction
from broker.errors import ContractViolated, NotJson, RecordTooLarge
from broker.names import Header
from broker.records import Record

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
    if value is None:
        raise NotJson("the record has no value")
    if limit is not None and len(value) > limit:
        raise RecordTooLarge(len(value), limit)
    try:
        return contract.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise NotJson(first["msg"].removeprefix("Invalid JSON: ")) from None
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise ContractViolated(contract.__name__, reason, legible_id(value)) from None


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
