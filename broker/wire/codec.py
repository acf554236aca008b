"""Encodes contracts as JSON and decodes JSON into contracts, with typed errors.

`fast_codec.py` and `feedback_codec.py` decode the usual messages faster and leave the rest to this
module.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from pydantic import ValidationError

from modstream.broker.errors import ContractViolated, DecodeError, NotJson, RecordTooLarge
from modstream.broker.wire.contract_errors import describe, parse_leniently
from modstream.broker.wire.contracts import Contract, ErrorResponse, Prediction, Request
from modstream.broker.wire.identifiers import MAX_ID_LENGTH, is_unicode
from modstream.broker.wire.records import Record
from modstream.broker.wire.tensor_binary import split_payload, with_tensor_data
from modstream.broker.wire.topics import Header

C = TypeVar("C", bound=Contract)

KIND_PREDICTION = b"prediction"
KIND_ERROR = b"error"


def encode(message: Contract) -> bytes:
    """Encode a message as JSON; absent optional fields are left out."""
    return message.__pydantic_serializer__.to_json(message, exclude_none=True)


def decode(contract: type[C], value: bytes | None, limit: int | None = None) -> C:
    """Decode a record's value.

    Args:
        contract: the message that the topic carries.
        value: the record's bytes. A tombstone (None) is not a message.
        limit: the maximum number of bytes, or None.

    Raises:
        RecordTooLarge: the value has more bytes than `limit`.
        NotJson: the value is not a JSON document.
        ContractViolated: the document violates the contract. The error has the request id if the
            document has a readable one.
    """
    value = check_size(value, limit)
    try:
        return contract.model_validate_json(value)
    except ValidationError as error:
        raise contract_error(contract, error, value) from None


def decode_request(record: Record, limit: int | None = None) -> Request:
    """Decode a request and its raw tensors, if any. Arguments and errors are those of `decode`."""
    check_size(record.value, limit)
    document, tail = split_payload(record)
    if tail is None:
        return decode(Request, document)
    with translate_request_errors(document):
        return Request.model_validate(with_tensor_data(json.loads(document), tail))


@contextmanager
def translate_request_errors(document: bytes) -> Iterator[None]:
    """Translate the errors of reading a request's JSON into errors of its contract."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise NotJson(str(error)) from None
    except RecursionError:
        raise NotJson("the document is nested too deeply") from None
    except ValidationError as error:
        raise contract_error(Request, error, document) from None
    except ValueError as error:
        raise ContractViolated("Request", str(error), salvage_id(document)) from None


def check_size(value: bytes | None, limit: int | None) -> bytes:
    """Return a record's value.

    Raises:
        NotJson: the record has no value.
        RecordTooLarge: the value has more bytes than `limit`.
    """
    if value is None:
        raise NotJson("the record has no value")
    if limit is not None and len(value) > limit:
        raise RecordTooLarge(len(value), limit)
    return value


def contract_error(
    contract: type[Contract],
    error: ValidationError,
    value: bytes,
    prefix: tuple[str | int, ...] = (),
) -> DecodeError:
    """Return the error for a value that failed validation, from its first fault.

    Args:
        contract: the message that the value should be.
        error: the error of the validation.
        value: the whole value.
        prefix: the location of the part of the value that was validated.
    """
    if error.error_count() == 1:
        (only,) = error.errors(include_url=False, include_input=False)
        if only["type"] == "json_invalid":
            return NotJson(only["msg"].removeprefix("Invalid JSON: "))
    document = parse_leniently(value)
    return ContractViolated(contract.__name__, describe(error, document, prefix), id_of(document))


def decode_response(record: Record, limit: int | None = None) -> Prediction | ErrorResponse:
    """Decode a record of a predictions topic by the contract that its kind header names."""
    if record.header(Header.KIND) == KIND_ERROR:
        return decode(ErrorResponse, record.value, limit)
    return decode(Prediction, record.value, limit)


def salvage_id(value: bytes) -> str | None:
    """Return the request id of a document that violates its contract, or None if unreadable.

    With the id, the sender can still be sent a typed error.
    """
    return id_of(parse_leniently(value))


def id_of(document: object) -> str | None:
    """Return the request id of a parsed document, or None if it has no valid one."""
    found = document.get("id") if isinstance(document, dict) else None
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID_LENGTH:
        return None
    return found if is_unicode(found) else None


def as_unicode(text: str) -> str:
    """Return a text with question marks for halves of surrogates, which UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()
