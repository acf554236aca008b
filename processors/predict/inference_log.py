"""The inference log: one record for each request, written in the transaction of its answer.

A request is a record of the topic of requests. Whatever exit it leaves by, also as a duplicate or
because it has ended a process, there is one record of the log with its position.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from time import time

import structlog

from modstream.broker.errors import InternalError, UnforeseenException
from modstream.broker.loop.isolation import is_fault
from modstream.broker.wire.inference_record import InferenceOutcome
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import MAX_KEY_BYTES, RECORD_OVERHEAD
from modstream.broker.wire.records import ProducerRecord, Record, producer_record_of
from modstream.broker.wire.topics import Topics
from modstream.processors.predict.deduplication import read_id
from modstream.processors.predict.inference_columns import (
    AskedColumns,
    BatchTimes,
    answer_head,
    encode_inferences,
    write_answers,
)
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.processors.predict.logged_answers import BatchLogWriter
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.state import AskedModel, BatchState, Step

LOG_NUMBER = 2**31
"""The number of the log in the buffer of responses: its record follows those of all models."""


@dataclass(frozen=True, slots=True)
class NoteRequests:
    """Decodes the requests, and notes what later steps drop."""

    decode: Step
    now: Callable[[], float] = time
    """Returns seconds since the epoch."""

    def __call__(self, state: BatchState) -> None:
        """Decode a batch; note the time, and what requests without a head ask for."""
        state.begun = int(self.now() * 1000)
        self.decode(state)
        for position, request in state.requests.items():
            state.asked[position] = AskedModel(request.id, request.model, request.version)
        for position, error in state.undecodable.items():
            if state.heads.heads[position] is None:
                state.asked[position] = AskedModel(error.request_id)


@dataclass(frozen=True, slots=True)
class InferenceLog:
    """Writes the log; as the last step of a handler, that of a batch.

    Each record has the key of its request. One that is too large for its topic leaves out features
    and outputs, and if it still is, the key.
    """

    topics: Topics
    settings: InferenceLogSettings
    inference: InferenceSettings
    limits: RecordLimits
    now: Callable[[], float] = time
    """Returns seconds since the epoch."""

    def __call__(self, state: BatchState) -> None:
        """Add the log records of a batch to its responses, one at each position."""
        records, asked = state.batch.records, AskedColumns.of(state)
        handled = int(self.now() * 1000)
        times = BatchTimes(state.begun, handled, len(records))
        writer = BatchLogWriter(self.topics, self.settings, self.inference, state, asked)
        answers, details = writer.write()
        values = encode_inferences(records, asked, answers, details, times)
        keys = list(map(_key, records, asked.ids))
        if writer.selected and (oversize := self._oversize(keys, values)):
            answers, details = writer.write_without_values(oversize)
            values = encode_inferences(records, asked, answers, details, times)
        state.responses.add(range(len(records)), LOG_NUMBER, self._records(keys, values))

    def dead_letter(
        self, record: Record, error: InternalError, letter: ProducerRecord, request_id: str | None
    ) -> ProducerRecord:
        """Return the log record of a request that was set aside, outside of all steps."""
        now, size = int(self.now() * 1000), len(letter.value or b"")
        head = answer_head(InferenceOutcome.DEAD_LETTER, None, None, error.code, None)
        answers = write_answers(InferenceOutcome.DEAD_LETTER, [b"%b%d}" % (head, size)])
        times = BatchTimes(now, now, 1)
        asked = AskedColumns([request_id], [None], [None])
        values = encode_inferences([record], asked, [[answers]], None, times)
        return self._records([_key(record, request_id)], values)[0]

    def _records(
        self, keys: Sequence[bytes | None], values: Sequence[bytes]
    ) -> list[ProducerRecord]:
        """Return the log records; one that is too large for its topic has no key."""
        oversize = self._oversize(keys, values)
        if oversize:
            keys = [None if position in oversize else key for position, key in enumerate(keys)]
        fields = zip(repeat(self.topics.inferences), keys, values, repeat(()), repeat(None))
        return list(map(producer_record_of, fields))

    def _oversize(self, keys: Sequence[bytes | None], values: Sequence[bytes]) -> set[int]:
        """Return the positions of the records that are too large for their topic."""
        room = self.limits.of(self.topics.inferences) - RECORD_OVERHEAD
        sizes = [len(key or b"") for key in keys]
        longest = max(sizes)
        if longest <= MAX_KEY_BYTES and longest + max(map(len, values)) <= room:
            return set()
        return {
            position
            for position, (size, value) in enumerate(zip(sizes, values, strict=True))
            if size > MAX_KEY_BYTES or size + len(value) > room
        }


def _key(record: Record, request_id: str | None) -> bytes | None:
    """Return the key of a log record: that of the response, if there is one."""
    key = record[3]
    return request_id.encode() if key is None and request_id is not None else key


def with_log_record(
    log: InferenceLog | None, record: Record, error: InternalError, letter: ProducerRecord
) -> list[ProducerRecord]:
    """Return the dead letter of a request that was set aside, and its log record if there is a log.

    The id of a request that has ended a process is not read: that could end this one.
    """
    if log is None:
        return [letter]
    request_id = None
    if isinstance(error, UnforeseenException):
        try:
            request_id = read_id(record)
        except Exception as failure:
            if not is_fault(failure):
                raise
            structlog.get_logger(__name__).exception("id not read", position=record.position)
    return [letter, log.dead_letter(record, error, letter, request_id)]
