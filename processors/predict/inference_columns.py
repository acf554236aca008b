"""Records of the inference log as JSON, written column by column for a whole batch.

`modstream.broker.wire.inference_record` is the definition of what is written.
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple, Self

from modstream.broker.wire.bounds import MAX_EVENT_TIME, MIN_EVENT_TIME
from modstream.broker.wire.fast_codec import (
    RequestHead,
    join_columns,
    json_document,
    json_numbers,
    json_strings,
)
from modstream.broker.wire.inference_record import InferenceOutcome
from modstream.broker.wire.records import OFFSET, PARTITION, Record
from modstream.processors.predict.outputs import JsonColumns
from modstream.processors.predict.state import AskedModel, BatchState

TIMESTAMP = itemgetter(6)
"""Returns a record's timestamp."""
NOT_VALID = AskedModel()
NO_ANSWER = b',"outcome":"%b","answers":[]' % InferenceOutcome.DUPLICATE.encode()


class AskedColumns(NamedTuple):
    """What the requests of a batch ask for, by position; see `AskedModel`.

    Columns take a fifth of the time that an object for each request takes.
    """

    ids: list[str | None]
    models: list[str | None]
    versions: list[int | str | None]

    @classmethod
    def of(cls, state: BatchState) -> Self:
        """Return what the requests of a batch ask for, as it was before steps dropped some."""
        heads: Sequence[RequestHead | AskedModel] = [
            state.asked.get(position, NOT_VALID) if head is None else head
            for position, head in enumerate(state.heads.heads)
        ]
        return cls(
            [head.id for head in heads],
            [head.model for head in heads],
            [head.version for head in heads],
        )


class BatchTimes(NamedTuple):
    """When a batch was read and handled, in ms since the epoch, and the number of its records."""

    read: int
    handled: int
    size: int


def encode_inferences(
    records: Sequence[Record],
    asked: AskedColumns,
    answers: JsonColumns,
    details: Sequence[bytes] | None,
    times: BatchTimes,
) -> list[bytes]:
    """Return the values of log records.

    Args:
        records: the requests, all of one topic; there is at least one.
        asked: what each of them asks for.
        answers: for each, its outcome and its answers as `write_answers` returns them, as columns.
        details: for each, further fields as JSON with a comma before each; None if there are none.
        times: the times of the batch.
    """
    batch = b',"read":%d,"handled":%d,"batch":%d,"bytes_in":' % times
    sizes: list[float] = [len(record[4] or b"") for record in records]
    return join_columns(
        (
            b'{"schema_version":1',
            *_ids(asked.ids),
            *_asked(asked),
            *answers,
            *_arrivals(records),
            batch,
            json_numbers(sizes),
            *_partitions(records),
            json_numbers(list(map(OFFSET, records))),
            *([b"}}"] if details is None else [b"}", details, b"}"]),
        )
    )


def answer_head(
    outcome: InferenceOutcome,
    model: str | None,
    version: int | None,
    code: str | None,
    milliseconds: float | None,
) -> bytes:
    """Return the JSON of one answer up to the number of its bytes, which must follow."""
    fields = {
        "outcome": outcome.value,
        "model": model,
        "version": version,
        "code": code,
        "milliseconds": None if milliseconds is None else round(milliseconds, 3),
    }
    known = json_document({name: value for name, value in fields.items() if value is not None})
    return b'%b,"bytes_out":' % known[:-1]


def write_answers(outcome: InferenceOutcome, answers: Sequence[bytes]) -> bytes:
    """Return the fields of a request's outcome and of its answers."""
    return b',"outcome":"%b","answers":[%b]' % (outcome.encode(), b",".join(answers))


def _ids(ids: Sequence[str | None]) -> JsonColumns:
    known = [one for one in ids if one is not None]
    if len(known) == len(ids):
        return (b',"id":"', json_strings(known), b'"')
    return ([b"" if one is None else b',"id":' + json_document(one) for one in ids],)


def _asked(asked: AskedColumns) -> JsonColumns:
    pairs = set(zip(asked.models, asked.versions, strict=True))
    if len(pairs) == 1:
        return (_asked_fields(*pairs.pop()),)
    return (list(map(_asked_fields, asked.models, asked.versions)),)


@lru_cache(1024, typed=True)
def _asked_fields(model: str | None, version: int | str | None) -> bytes:
    fields = {"asked_model": model, "asked_version": version}
    known = {name: value for name, value in fields.items() if value is not None}
    return b"," + json_document(known)[1:-1] if known else b""


def _partitions(records: Sequence[Record]) -> JsonColumns:
    """Return the sources of the records up to their offsets."""
    numbers = list(map(PARTITION, records))
    topic = json_document(records[0].topic)
    written = {
        one: b',"source":{"topic":%b,"partition":%d,"offset":' % (topic, one)
        for one in set(numbers)
    }
    if len(written) == 1:
        return tuple(written.values())
    return (list(map(written.__getitem__, numbers)),)


def _arrivals(records: Sequence[Record]) -> JsonColumns:
    """Return the times of arrival, without those that no event time can be."""
    times: list[float] = list(map(TIMESTAMP, records))
    if min(times) >= MIN_EVENT_TIME and max(times) <= MAX_EVENT_TIME:
        return (b',"arrived":', json_numbers(times))
    return (
        [
            b',"arrived":%d' % time if MIN_EVENT_TIME <= time <= MAX_EVENT_TIME else b""
            for time in times
        ],
    )
