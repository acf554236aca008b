"""The responses to the requests of a precompute run, among all responses of its stream."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from modstream.broker.wire.records import Record
from modstream.processors.precompute.request_ids import RequestIds, RowAttempt

DEAD_LETTER = "dead_letter"
"""The code of a request without an answer, because the worker moved it to the dead letters."""
ABSENT = Raw(b"")


class _Response(Struct, frozen=True, gc=False):
    """A prediction, an error, or the request of a dead letter."""

    id: str
    version: int | str | None = None
    code: str | None = None
    message: str | None = None
    outputs: Raw = ABSENT


_decode = msgspec.json.Decoder(_Response).decode


class RowResponse(NamedTuple):
    """The response to an attempt at a row: a version and outputs, or the code of an error."""

    attempt: RowAttempt
    version: int | None
    code: str | None
    message: str | None
    outputs: bytes
    record: Record


@dataclass(frozen=True, slots=True)
class ResponseReader:
    """Finds the responses to the requests of one run; `predictions` is their topic."""

    ids: RequestIds
    predictions: str

    def read(self, records: Iterable[Record]) -> Iterator[RowResponse]:
        """Yield the responses among some records of the predictions and the dead letters."""
        prefix = self.ids.prefix.encode()
        for record in records:
            # Most records of a busy stream are responses to others; they are not decoded.
            if prefix not in (record.value or b""):
                continue
            try:
                found = _decode(record.value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if (attempt := self.ids.parse(found.id)) is None:
                continue
            if record.topic != self.predictions:
                yield RowResponse(attempt, None, DEAD_LETTER, None, b"", record)
            elif isinstance(found.version, int):
                outputs = bytes(found.outputs)
                yield RowResponse(attempt, found.version, None, None, outputs, record)
            else:
                yield RowResponse(attempt, None, found.code, found.message, b"", record)


def read_attempts(ids: RequestIds, requests: Iterable[Record]) -> Iterator[RowAttempt]:
    """Yield the attempts of a run among some records of the requests topic."""
    prefix = ids.prefix.encode()
    for record in requests:
        if prefix not in (record.value or b""):
            continue
        try:
            attempt = ids.parse(_decode(record.value or b"").id)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if attempt is not None:
            yield attempt
