"""Folds records of predictions topics to the newest prediction of each model and key.

A key's predictions are in one partition, in the order in which they were made: the last one is the
newest. Errors replace nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from modstream.broker.errors import DecodeError
from modstream.broker.wire.bounds import EventTime, VersionNumber
from modstream.broker.wire.codec import KIND_ERROR, decode_response, encode
from modstream.broker.wire.contracts import ErrorResponse
from modstream.broker.wire.fast_codec import is_utf8_and_shallow
from modstream.broker.wire.identifiers import ModelName, RequestId
from modstream.broker.wire.records import Record, next_offsets
from modstream.broker.wire.topics import Header
from modstream.models.prediction_store.stored_prediction import StoredPrediction

MAX_KEY_BYTES = 1024
"""Maximum size of a key that is stored; an index of PostgreSQL takes no more than 2,704 bytes."""
ABSENT = Raw(b"null")


class _Prediction(Struct, frozen=True, gc=False):
    """A prediction whose outputs and features are still JSON."""

    id: RequestId
    model: ModelName
    version: VersionNumber
    outputs: Raw
    features: Raw = ABSENT
    event_time: EventTime | None = None


_decode = msgspec.json.Decoder(_Prediction).decode


@dataclass(slots=True)
class NewestPredictions:
    """The newest predictions of some records, with the offsets after the records.

    `skipped` counts the records that are not stored, by the reason.
    """

    predictions: dict[tuple[str, str], StoredPrediction] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, records: Iterable[Record]) -> None:
        """Add records, in the order of their offsets."""
        records = list(records)
        for record in records:
            found = read_prediction(record)
            if isinstance(found, StoredPrediction):
                self.predictions[found.model, found.key] = found
            else:
                self.skipped[found] += 1
        self.offsets |= {str(one): offset for one, offset in next_offsets(records).items()}


def read_prediction(record: Record) -> StoredPrediction | str:
    """Return the prediction of a record, or the reason why it is not stored."""
    if record.header(Header.KIND) == KIND_ERROR:
        return "error"
    key = read_key(record.key)
    if key is None:
        return "key is no text of 1 to 1,024 bytes"
    value = record.value or b""
    if b"\0" in value or not is_utf8_and_shallow(value):
        return _read_unusual(record, key)
    try:
        found = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_unusual(record, key)
    features = bytes(found.features)
    return StoredPrediction(
        found.model,
        key,
        found.version,
        bytes(found.outputs),
        found.id,
        record.timestamp,
        record.position,
        found.event_time,
        None if features == b"null" else features,
    )


def read_key(key: bytes | None) -> str | None:
    """Return a record's key as text; None if no store can have it."""
    if not key or len(key) > MAX_KEY_BYTES or b"\0" in key:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def _read_unusual(record: Record, key: str) -> StoredPrediction | str:
    """Read a prediction by its contract, which is slower and reads all that is valid."""
    try:
        found = decode_response(record)
    except DecodeError:
        return "undecodable"
    if isinstance(found, ErrorResponse):
        return "error"
    document = json.loads(encode(found))
    features = document.get("features")
    return StoredPrediction(
        found.model,
        key,
        found.version,
        json.dumps(document["outputs"]).encode(),
        found.id,
        record.timestamp,
        record.position,
        found.event_time,
        None if features is None else json.dumps(features).encode(),
    )
