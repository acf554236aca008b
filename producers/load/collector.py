"""Hears the answers to a load run and notes when the first one to each request arrived."""

import re
from collections.abc import Callable
from threading import Condition, Event

import numpy as np

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR as IS_ERROR
from modstream.broker.wire.codec import decode_answer
from modstream.broker.wire.contracts import ErrorAnswer
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.producers.load.report import DEAD_LETTER, ERROR, PREDICTION
from modstream.producers.ports import Source, arrivals

CORRELATION = "correlation-id"
"""Marks bad records: it travels on to an error answer and lies in a dead letter's headers."""


class Collector:
    """Listens in a thread of its own; `wait` lets another thread wait for the last answers.

    Answers are recognised by the run's ids, undecoded, so that measuring stays cheap beside what
    is measured. Only errors are decoded, for their code.
    """

    def __init__(self, source: Source, topics: Topics, run: str, size: int) -> None:
        self._source = source
        self._dlq = topics.dlq
        self._number = re.compile(rb'(?:"|\A)' + re.escape(run.encode()) + rb'-(\d+)(?:"|\Z)')
        self._finished = Event()
        self._progress = Condition()
        self._found = 0
        self.arrived = np.full(size, np.nan)
        self.ways_out: dict[int, str] = {}
        self.repeated = 0

    def listen(self, now: Callable[[], float]) -> None:
        """Note answers, at the time `now` says, until `finish` is called."""
        while not self._finished.is_set():
            records = arrivals(self._source, 0.1)
            at = now()
            for record in records:
                self._note(record, at)
            if records:
                with self._progress:
                    self._progress.notify_all()

    def wait(self, expected: int, timeout: float) -> bool:
        """Wait until `expected` requests have found a way out; False when it took too long."""
        with self._progress:
            return self._progress.wait_for(lambda: self._found >= expected, timeout)

    def finish(self) -> None:
        """Let `listen` return."""
        self._finished.set()

    def _note(self, record: Record, at: float) -> None:
        number = self._number_of(record)
        if number is None:
            return
        if not np.isnan(self.arrived[number]) or number in self.ways_out:
            self.repeated += 1
            return
        self._found += 1
        way = self._way_out(record)
        if way != PREDICTION:
            self.ways_out[number] = way
        if way != DEAD_LETTER:
            self.arrived[number] = at

    def _number_of(self, record: Record) -> int | None:
        mark = record.header(CORRELATION) or record.value or b""
        found = self._number.search(mark)
        number = int(found[1]) if found else -1
        return number if 0 <= number < len(self.arrived) else None

    def _way_out(self, record: Record) -> str:
        if record.topic == self._dlq:
            return DEAD_LETTER
        if record.header(Header.KIND) != IS_ERROR:
            return PREDICTION
        try:
            answer = decode_answer(record)
        except DecodeError as error:
            return ERROR + error.code
        return ERROR + (answer.code if isinstance(answer, ErrorAnswer) else "")
