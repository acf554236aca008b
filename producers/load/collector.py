"""Collects the responses to a load run and notes when each request's first one arrived."""

import re
from collections.abc import Callable
from threading import Condition, Event

import numpy as np

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, decode_response
from modstream.broker.wire.contracts import ErrorResponse
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.producers.load.report import DEAD_LETTER, ERROR_PREFIX, PREDICTION
from modstream.producers.ports import RecordSource, poll_available

CORRELATION_ID = "correlation-id"
"""Header that identifies bad records. Workers copy it to error responses and dead letters."""


class ResponseCollector:
    """Collects responses in `run`, in one thread, while another thread calls `wait`.

    Responses are recognised by the run's request ids without being decoded, which keeps the
    measurement cheap. Only errors are decoded, for their code.
    """

    def __init__(self, source: RecordSource, topics: Topics, run_id: str, size: int) -> None:
        self._source = source
        self._dlq = topics.dlq
        prefix = re.escape(run_id.encode())
        self._id_pattern = re.compile(rb'(?:"|\A)' + prefix + rb'-(\d+)(?:"|\Z)')
        self._stopped = Event()
        self._progress = Condition()
        self._completed = 0
        self.arrival_times = np.full(size, np.nan)
        self.exits: dict[int, str] = {}
        self.extra_responses = 0

    def run(self, now: Callable[[], float]) -> None:
        """Note responses, with `now()` as their arrival time, until `stop` is called."""
        while not self._stopped.is_set():
            records = poll_available(self._source, 0.1)
            arrived_at = now()
            for record in records:
                self._note(record, arrived_at)
            if records:
                with self._progress:
                    self._progress.notify_all()

    def wait(self, expected: int, timeout: float) -> bool:
        """Wait until `expected` requests are completed; return False after `timeout` seconds."""
        with self._progress:
            return self._progress.wait_for(lambda: self._completed >= expected, timeout)

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped.set()

    def _note(self, record: Record, arrived_at: float) -> None:
        number = self._number_of(record)
        if number is None:
            return
        if not np.isnan(self.arrival_times[number]) or number in self.exits:
            self.extra_responses += 1
            return
        self._completed += 1
        exit_ = self._exit_of(record)
        if exit_ != PREDICTION:
            self.exits[number] = exit_
        if exit_ != DEAD_LETTER:
            self.arrival_times[number] = arrived_at

    def _number_of(self, record: Record) -> int | None:
        text = record.header(CORRELATION_ID) or record.value or b""
        match = self._id_pattern.search(text)
        number = int(match[1]) if match else -1
        return number if 0 <= number < len(self.arrival_times) else None

    def _exit_of(self, record: Record) -> str:
        if record.topic == self._dlq:
            return DEAD_LETTER
        if record.header(Header.KIND) != KIND_ERROR:
            return PREDICTION
        try:
            response = decode_response(record)
        except DecodeError as error:
            return ERROR_PREFIX + error.code
        return ERROR_PREFIX + (response.code if isinstance(response, ErrorResponse) else "")
