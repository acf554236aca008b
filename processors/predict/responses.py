"""What every answer carries besides what it says, and the order of the answers to a batch."""

from collections.abc import Iterable, Sequence
from itertools import chain

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR, encode
from modstream.broker.wire.contracts import ErrorAnswer, Source
from modstream.broker.wire.record_batch import marks_of
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header
from modstream.processors.errors import Refusal
from modstream.processors.predict.batching import key_of


class Answers:
    """The answers to one batch, by the place of their record and the number of their model."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._columns: dict[tuple[int, bool], list[Outgoing | None]] = {}

    def put(self, places: Sequence[int], number: int, answers: Iterable[Outgoing]) -> None:
        """Note the answers that the model of that number gives to the records at some places."""
        column = self._column(number, follows=False)
        for place, answer in zip(places, answers, strict=True):
            column[place] = answer

    def follow(self, place: int, number: int, outgoing: Outgoing) -> None:
        """Note what follows on such an answer."""
        self._column(number, follows=True)[place] = outgoing

    def in_order(self) -> list[Outgoing]:
        """All answers in the order of their records, and those to one in the order of models."""
        columns = [column for _, column in sorted(self._columns.items())]
        answers = chain.from_iterable(zip(*columns, strict=True))
        return [answer for answer in answers if answer is not None]

    def _column(self, number: int, *, follows: bool) -> list[Outgoing | None]:
        column = self._columns.get((number, follows))
        if column is None:
            column = self._columns[number, follows] = [None] * self._size
        return column


def refused(
    topic: str,
    record: Record,
    request_id: str,
    reason: Refusal | DecodeError,
    model: str | None = None,
) -> Outgoing:
    """The error answer to a request, for the topic of the answers."""
    answer = ErrorAnswer(
        id=request_id, code=reason.code, message=str(reason), model=model, source=source(record)
    )
    headers = ((Header.KIND, ERROR), *marks_of(record.headers).passed)
    return Outgoing(topic, key_of(record, request_id), encode(answer), headers)


def source(record: Record) -> Source:
    """Where the record that is answered lies."""
    return Source(topic=record.topic, partition=record.partition, offset=record.offset)
