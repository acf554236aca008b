"""What leaves a stream, as a witness notes it."""

from typing import NamedTuple

from modstream.audit.lenient_messages import Answered, asked, number_in
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR, decode
from modstream.broker.wire.contracts import ErrorAnswer, Source
from modstream.broker.wire.dead_letters import cause_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics

PREDICTION = "prediction"
REFUSAL = "error"
DEAD_LETTER = "dead letter"
UNREADABLE = "unreadable"


class Place(NamedTuple):
    """Where a request lies in its topic."""

    partition: int
    offset: int


class Sighting(NamedTuple):
    """One record of the predictions or the dead letters, and what it says of its request.

    `id` is empty where none can be read; `value` belongs to predictions alone; `source` is None
    where the record names no place in the stream's requests.
    """

    topic: str
    partition: int
    offset: int
    id: str
    kind: str
    model: str | None = None
    value: float | None = None
    source: Place | None = None

    def __str__(self) -> str:
        """What it is and where it lies."""
        return f"{self.kind} at {self.topic}:{self.partition}@{self.offset}"


def sighting(record: Record, topics: Topics) -> Sighting:
    """Read a record of the predictions or the dead letters; one that breaks its contract, too."""
    if record.topic == topics.dlq:
        return _dead_letter(record, topics)
    home = record[:3]
    try:
        if record.header(Header.KIND) == ERROR:
            error = decode(ErrorAnswer, record.value)
            place = _place(error.source, topics)
            return Sighting(*home, error.id, REFUSAL, error.model, source=place)
        said = decode(Answered, record.value)
    except DecodeError:
        return Sighting(*home, "", UNREADABLE)
    place = _place(said.source, topics)
    return Sighting(*home, said.id, PREDICTION, said.model, number_in(said.outputs), place)


def _dead_letter(record: Record, topics: Topics) -> Sighting:
    """A dead letter; its value is the request, which may be anything, its cause tells the place."""
    request, cause = asked(record.value), cause_of(record)
    partition, offset = cause.get("partition", ""), cause.get("offset", "")
    is_placed = cause.get("topic") == topics.requests and (partition + offset).isdecimal()
    return Sighting(
        *record[:3],
        "" if request is None else request.id,
        DEAD_LETTER,
        source=Place(int(partition), int(offset)) if is_placed else None,
    )


def _place(source: Source, topics: Topics) -> Place | None:
    return Place(source.partition, source.offset) if source.topic == topics.requests else None
