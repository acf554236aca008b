"""Responses: every record leaves as predictions, as a typed error, or as a dead letter."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, KIND_PREDICTION, encode
from modstream.broker.wire.contracts import ErrorResponse, Prediction, SourcePosition
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.records import ProducerRecord, Record, response_key
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.errors import Refusal
from modstream.processors.predict.engine import Inference

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
    """Writes responses as records, and reports each refusal to a hook."""

    def __init__(self, topics: Topics, on_refusal: OnRefusal = ignore_refusal) -> None:
        self.predictions = topics.predictions
        self._dead_letters = topics.dlq
        self._on_refusal = on_refusal

    def prediction(self, batch: RecordBatch, position: int, found: Inference) -> ProducerRecord:
        """Return the record of a prediction for the request at a position."""
        record, request, card = batch.records[position], found.request, found.card
        prediction = Prediction(
            id=request.id,
            model=card.name,
            version=card.version,
            outputs=found.outputs,
            features=found.features,
            event_time=request.event_time,
            source=source_of(record),
        )
        headers = (
            (Header.KIND, KIND_PREDICTION),
            (Header.MODEL, f"{card.name}/{card.version}".encode()),
            *batch.headers[position].passed_through,
        )
        key = response_key(record, request.id)
        return ProducerRecord(self.predictions, key, encode(prediction), headers)

    def error(
        self,
        batch: RecordBatch,
        position: int,
        request_id: str,
        reason: Refusal | DecodeError,
        model: str | None = None,
    ) -> ProducerRecord:
        """Return the record of a typed error for the request at a position."""
        record = batch.records[position]
        response = ErrorResponse(
            id=request_id,
            code=reason.code,
            message=str(reason),
            model=model,
            source=source_of(record),
        )
        self._on_refusal(reason.code, model)
        headers = ((Header.KIND, KIND_ERROR), *batch.headers[position].passed_through)
        return ProducerRecord(
            self.predictions, response_key(record, request_id), encode(response), headers
        )

    def undecodable(self, batch: RecordBatch, position: int, error: DecodeError) -> ProducerRecord:
        """Return a typed error where the record's id is readable, else a dead letter."""
        if error.request_id is not None:
            return self.error(batch, position, error.request_id, error)
        self._on_refusal(error.code, None)
        record = batch.records[position]
        return build_dead_letter(record, self._dead_letters, error, "VALUE_CONVERTER")


def source_of(record: Record) -> SourcePosition:
    """Return the topic, partition and offset of the record that is answered."""
    return SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset)
