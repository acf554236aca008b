"""Responses: every record leaves as predictions, as a typed error, or as a dead letter."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from modstream.broker.errors import (
    DecodeError,
    IllegibleHeaders,
    KeyTooLarge,
    OffsetsUnreadable,
)
from modstream.broker.wire.codec import KIND_ERROR, KIND_PREDICTION, as_unicode, encode
from modstream.broker.wire.contracts import ErrorResponse, Prediction, SourcePosition
from modstream.broker.wire.dead_letters import MAX_MESSAGE_LENGTH, build_dead_letter
from modstream.broker.wire.fast_codec import json_document
from modstream.broker.wire.features import compact_json
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import MAX_KEY_BYTES, fits, record_size
from modstream.broker.wire.records import ProducerRecord, Record, response_key
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.errors import AnswerTooLarge, Refusal
from modstream.processors.predict.engine import Inference
from modstream.processors.predict.stream_features import features_header

MAX_FEATURES_BYTES = 4 * 1024 * 1024
"""Maximum size of the features that a prediction records."""

OnRefusal = Callable[[str, str | None], None]
"""Called with the error code of a request that gets no prediction, and the model that it names.

Requests that become dead letters are among them. It must not raise.
"""


def ignore_refusal(_code: str, _model: str | None) -> None:
    """Observe nothing."""


class ResponseBuffer:
    """The responses to one batch, by the position of their record and the number of their model."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._columns: dict[tuple[int, bool], list[ProducerRecord | None]] = {}

    def add(self, positions: Sequence[int], number: int, records: Iterable[ProducerRecord]) -> None:
        """Add the responses of the model with that number to the requests at some positions."""
        column = self._column(number, follows=False)
        for position, record in zip(positions, records, strict=True):
            column[position] = record

    def add_after(self, position: int, number: int, record: ProducerRecord) -> None:
        """Add a record that follows such a response."""
        self._column(number, follows=True)[position] = record

    def responses(self) -> list[list[ProducerRecord | None]]:
        """Return the responses by position, a list for each number of a model that has any."""
        return [column for (_, follows), column in sorted(self._columns.items()) if not follows]

    def of_predictions(self) -> dict[int, list[ProducerRecord | None]]:
        """Return the responses by position, by the number of their model."""
        return {number: found for (number, follows), found in self._columns.items() if not follows}

    def in_order(self) -> list[ProducerRecord]:
        """Return all responses in the order of their requests, then of the models."""
        columns = [column for _, column in sorted(self._columns.items())]
        records = chain.from_iterable(zip(*columns, strict=True))
        return [record for record in records if record is not None]

    def _column(self, number: int, *, follows: bool) -> list[ProducerRecord | None]:
        column = self._columns.get((number, follows))
        if column is None:
            column = self._columns[number, follows] = [None] * self._size
        return column


class ResponseWriter:
    """Writes responses as records, and reports each refusal to a hook.

    Each record fits its topic: a prediction that is too large becomes a typed error, and a request
    whose key is too large for any response becomes a dead letter, cut if necessary.
    """

    def __init__(
        self,
        topics: Topics,
        on_refusal: OnRefusal = ignore_refusal,
        limits: RecordLimits | None = None,
    ) -> None:
        self.limits = RecordLimits() if limits is None else limits
        self.predictions = topics.predictions
        self._dead_letters = topics.dlq
        self._on_refusal = on_refusal

    def prediction(self, batch: RecordBatch, position: int, found: Inference) -> ProducerRecord:
        """Return the record of a prediction for the request at a position.

        If it is too large, its features are left out; if it is still too large, the record is that
        of a typed error.
        """
        features, omitted = encode_features(found)
        limit = self.limits.of(self.predictions)
        record = self._prediction(batch, position, found, features, omitted)
        if features is not None and not fits(record, limit):
            omitted = "the features are too large for the topic of predictions"
            record = self._prediction(batch, position, found, None, omitted)
        if fits(record, limit) and len(record.key or b"") <= MAX_KEY_BYTES:
            return record
        reason = AnswerTooLarge(record_size(record), limit)
        return self.error(batch, position, found.request.id, reason, found.card.name)

    def _prediction(
        self,
        batch: RecordBatch,
        position: int,
        found: Inference,
        features: bytes | None,
        omitted: str | None,
    ) -> ProducerRecord:
        record, request, card = batch.records[position], found.request, found.card
        prediction = Prediction(
            id=request.id,
            model=card.name,
            version=card.version,
            outputs=found.outputs,
            features_omitted=omitted,
            event_time=request.event_time,
            source=source_of(record),
            steps=found.steps,
        )
        value = encode(prediction)
        if features is not None:
            value = b'%b,"features":%b}' % (value[:-1], features)
        headers = (
            (Header.KIND, KIND_PREDICTION),
            (Header.MODEL, f"{card.name}/{card.version}".encode()),
            *features_header(found.features_at),
            *batch.headers[position].passed_through,
        )
        key = response_key(record, request.id)
        return ProducerRecord(self.predictions, key, value, headers)

    def error(
        self,
        batch: RecordBatch,
        position: int,
        request_id: str,
        reason: Refusal | DecodeError,
        model: str | None = None,
    ) -> ProducerRecord:
        """Return the record of a typed error for the request at a position.

        If the key is too large for a response, the record is a dead letter.
        """
        record = batch.records[position]
        key = response_key(record, request_id)
        if len(key) > MAX_KEY_BYTES:
            return self._refuse(record, KeyTooLarge(len(key), MAX_KEY_BYTES), model)
        response = ErrorResponse(
            id=request_id,
            code=reason.code,
            message=as_unicode(str(reason)[:MAX_MESSAGE_LENGTH]),
            model=model,
            source=source_of(record),
        )
        headers = ((Header.KIND, KIND_ERROR), *batch.headers[position].passed_through)
        written = ProducerRecord(self.predictions, key, encode(response), headers)
        limit = self.limits.of(self.predictions)
        if not fits(written, limit):
            written = written._replace(headers=headers[:1])
        if not fits(written, limit):
            return self._refuse(record, AnswerTooLarge(record_size(written), limit), model)
        self._on_refusal(reason.code, model)
        return written

    def undecodable(self, batch: RecordBatch, position: int, error: DecodeError) -> ProducerRecord:
        """Return a typed error where the record's id is readable, else a dead letter."""
        if error.request_id is not None:
            return self.error(batch, position, error.request_id, error)
        record = batch.records[position]
        skipped = record.header(Header.SKIPPED) if record.value is None else None
        if skipped is not None:
            error = OffsetsUnreadable(skipped.decode(errors="replace"))
        elif record.header(Header.ILLEGIBLE) is not None:
            error = IllegibleHeaders(str(error))
        return self._refuse(record, error)

    def dead_letter(self, record: Record, cause: Exception, stage: str) -> ProducerRecord:
        """Return the dead letter of a record, cut if necessary."""
        topic = self._dead_letters
        return build_dead_letter(record, topic, cause, stage, self.limits.of(topic))

    def _refuse(
        self, record: Record, cause: DecodeError | Refusal, model: str | None = None
    ) -> ProducerRecord:
        self._on_refusal(cause.code, model)
        return self.dead_letter(record, cause, "VALUE_CONVERTER")


def encode_features(found: Inference) -> tuple[bytes | None, str | None]:
    """Return the features to record as JSON, or the reason why they are not recorded.

    The rows of tensors are written as their numbers and names.
    """
    features = found.features
    if features is None:
        return None, found.features_omitted
    compact = None
    if not isinstance(features, dict) and found.request.inputs is not None:
        compact = compact_json(features)
    encoded = compact or json_document(features)
    if len(encoded) > MAX_FEATURES_BYTES:
        return None, (
            f"the features have {len(encoded):,} bytes; at most {MAX_FEATURES_BYTES:,} are recorded"
        )
    return encoded, None


def is_prediction(record: ProducerRecord) -> bool:
    """Return whether a response is a prediction, not an error or a dead letter."""
    return record.headers[:1] == ((Header.KIND, KIND_PREDICTION),)


def source_of(record: Record) -> SourcePosition:
    """Return the topic, partition and offset of the record that is answered."""
    return SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset)
