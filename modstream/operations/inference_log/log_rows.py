"""Rows of the exported inference log: one for each answer, or one for a request without any."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from modstream.broker.errors import NotJson
from modstream.broker.wire.bounds import MAX_EVENT_TIME
from modstream.broker.wire.fast_codec import ABSENT, json_document
from modstream.broker.wire.features import expand_rows
from modstream.broker.wire.records import Record

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "id": "string",
        "key": "string",
        "request_outcome": "string",
        "answer": "int32",
        "answers": "int32",
        "outcome": "string",
        "code": "string",
        "version": "int64",
        "asked_model": "string",
        "asked_version": "string",
        "arrived": "time",
        "read": "time",
        "handled": "time",
        "answered": "time",
        "milliseconds": "double",
        "batch": "int64",
        "bytes_in": "int64",
        "bytes_out": "int64",
        "features": "string",
        "outputs": "string",
        "omitted": "string",
        "source_partition": "int32",
        "source_offset": "int64",
        "log_partition": "int32",
        "log_offset": "int64",
    }
)
"""The columns of the files and their types; the folders have the model and the day."""


class LoggedAnswer(Struct, frozen=True, gc=False):
    """An answer as `modstream.broker.wire.inference_record.ModelAnswer` defines it."""

    outcome: str
    bytes_out: int
    model: str | None = None
    version: int | None = None
    code: str | None = None
    milliseconds: float | None = None
    outputs: Raw = ABSENT


class LoggedSource(Struct, frozen=True, gc=False):
    """The position of the request."""

    partition: int
    offset: int


class LoggedRequest(Struct, frozen=True, gc=False):
    """A record of the log as `InferenceRecord` defines it."""

    outcome: str
    bytes_in: int
    source: LoggedSource
    id: str | None = None
    asked_model: str | None = None
    asked_version: int | str | None = None
    answers: tuple[LoggedAnswer, ...] = ()
    arrived: int | None = None
    read: int | None = None
    handled: int | None = None
    batch: int | None = None
    features: Raw = ABSENT
    omitted: str | None = None


_decode = msgspec.json.Decoder(LoggedRequest).decode


class LogRow(NamedTuple):
    """The cells of a row, in the order of `COLUMNS`, and the folders that it belongs to."""

    day: str
    model: str | None
    cells: tuple[Any, ...]


def rows_of(record: Record) -> Iterator[LogRow]:
    """Yield the rows of a record of the log. Its day, in UTC, is that of the answer.

    Raises:
        NotJson: it is not a record of the log.
    """
    try:
        found = _decode(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"{record.position} is not a record of the inference log: {error}") from None
    answered = min(max(record.timestamp, 0), MAX_EVENT_TIME)
    day = datetime.fromtimestamp(answered // 1000, UTC).strftime("%Y-%m-%d")
    version = None if found.asked_version is None else str(found.asked_version)
    head = (found.id, None if record.key is None else key_text(record.key), found.outcome)
    answers = found.answers or (LoggedAnswer(found.outcome, 0),)
    for number, answer in enumerate(answers):
        cells = (
            *head,
            *(number, len(found.answers), answer.outcome, answer.code, answer.version),
            *(found.asked_model, version),
            *(found.arrived, found.read, found.handled, answered),
            *(answer.milliseconds, found.batch, found.bytes_in, answer.bytes_out),
            *(_features(found.features), _text(answer.outputs), found.omitted),
            *(found.source.partition, found.source.offset, record.partition, record.offset),
        )
        yield LogRow(day, answer.model, cells)


def key_text(key: bytes) -> str:
    """Return the key of a request as the text of its column: hexadecimal, if it is not UTF-8."""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return f"0x{key.hex()}"


def _features(features: Raw) -> str | None:
    """Return features as JSON by name, whatever form the record has them in."""
    text = _text(features)
    if text is None or '"names"' not in text:
        return text
    return json_document(expand_rows(msgspec.json.decode(features))).decode()


def _text(document: Raw) -> str | None:
    return bytes(document).decode() or None
