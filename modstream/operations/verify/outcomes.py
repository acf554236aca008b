"""The outcomes of requests: the records of the predictions and the dead letters."""

from typing import NamedTuple

from modstream.audit.lenient_messages import LenientPrediction, numeric_output, read_request
from modstream.audit.stream_audit import is_number
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, decode
from modstream.broker.wire.contracts import ErrorResponse, SourcePosition
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics

PREDICTION = "prediction"
ERROR_RESPONSE = "error"
DEAD_LETTER = "dead letter"
UNREADABLE = "unreadable"


class PartitionOffset(NamedTuple):
    """The position of a request in its topic."""

    partition: int
    offset: int


class Outcome(NamedTuple):
    """One record of the predictions or the dead letters, and the request it belongs to.

    `id` is empty if it is unreadable, `value` is set for predictions only, and `source` is None if
    the record does not refer to a position in the stream's requests.
    """

    topic: str
    partition: int
    offset: int
    id: str
    kind: str
    model: str | None = None
    value: float | None = None
    source: PartitionOffset | None = None

    def __str__(self) -> str:
        """Return the kind of the outcome and its position."""
        return f"{self.kind} at {self.topic}:{self.partition}@{self.offset}"


def decode_outcome(record: Record, topics: Topics) -> Outcome:
    """Decode a record of the predictions or the dead letters, even if it violates its contract."""
    if record.topic == topics.dlq:
        return _decode_dead_letter(record, topics)
    position = record[:3]
    try:
        if record.header(Header.KIND) == KIND_ERROR:
            error = decode(ErrorResponse, record.value)
            source = _request_source(error.source, topics)
            return Outcome(*position, error.id, ERROR_RESPONSE, error.model, source=source)
        prediction = decode(LenientPrediction, record.value)
    except DecodeError:
        return Outcome(*position, "", UNREADABLE)
    source = _request_source(prediction.source, topics)
    return Outcome(
        *position,
        prediction.id,
        PREDICTION,
        prediction.model,
        numeric_output(prediction.outputs),
        source,
    )


def _decode_dead_letter(record: Record, topics: Topics) -> Outcome:
    """Decode a dead letter: its value is the request, its headers have the request's position.

    Those of the joiner, of labels and responses, belong to no request.
    """
    cause = read_cause(record)
    is_joiners = cause.get("topic") in {topics.labels, topics.predictions}
    request = None if is_joiners else read_request(record.value)
    partition, offset = cause.get("partition", ""), cause.get("offset", "")
    is_placed = cause.get("topic") == topics.requests and is_number(partition) and is_number(offset)
    return Outcome(
        *record[:3],
        "" if request is None else request.id,
        DEAD_LETTER,
        source=PartitionOffset(int(partition), int(offset)) if is_placed else None,
    )


def _request_source(source: SourcePosition, topics: Topics) -> PartitionOffset | None:
    return (
        PartitionOffset(source.partition, source.offset)
        if source.topic == topics.requests
        else None
    )
