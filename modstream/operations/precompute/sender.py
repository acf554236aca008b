"""Sends the rows of a run in transactions, as far as the window of unanswered rows has room."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Protocol

import structlog

from modstream.broker.wire.records import ProducerRecord
from modstream.operations.precompute.request_encoder import MakeRequest
from modstream.operations.precompute.source_rows import OpenRows, SourceRow
from modstream.processors.precompute.newest import MAX_KEY_BYTES
from modstream.processors.precompute.request_ids import RequestIds, RowAttempt
from modstream.processors.precompute.run_progress import RunProgress

RETRY_SECONDS = 0.25
"""Time before a row is sent again whose model is being loaded."""
MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024
"""Size of the unanswered requests from which no further ones are sent."""
MAX_CHUNK_BYTES = 8 * 1024 * 1024
"""Size from which a transaction takes no further request."""
MAX_LOGGED = 3
"""Number of rows that cannot be sent whose reasons are logged."""


class RecordPublisher(Protocol):
    """Publishes records in one transaction."""

    def publish(self, records: Iterable[ProducerRecord]) -> None:
        """Publish all or none; see modstream.broker.client.transactional_publisher."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Sizes and times of a run."""

    window: int = 20_000
    """Maximum number of requests without an answer."""
    chunk: int = 5_000
    """Maximum number of requests in a transaction."""
    max_request_bytes: int = 1024 * 1024
    """Size up to which workers accept a request; larger ones are not sent."""
    timeout: float = 60.0
    """Seconds without any answer after which a run gives up."""


@dataclass(frozen=True, slots=True)
class RunSource:
    """The rows of a run, and how they become records of its requests topic."""

    topic: str
    ids: RequestIds
    open_rows: OpenRows
    make_request: MakeRequest
    limits: RunLimits

    def record(self, attempt: RowAttempt, row: SourceRow) -> ProducerRecord:
        """Return the record of an attempt at a row.

        Raises:
            ValueError: no request can have the row, or no store its key.
        """
        key = row.key
        if not key or len(encoded := key.encode()) > MAX_KEY_BYTES or "\0" in key:
            raise ValueError(f"its key must be a text of 1 to {MAX_KEY_BYTES:,} bytes")
        value = self.make_request(self.ids.make(*attempt), row.values)
        if len(value) > (limit := self.limits.max_request_bytes):
            raise ValueError(f"its request has {len(value):,} bytes, and a worker takes {limit:,}")
        return ProducerRecord(self.topic, encoded, value)


class Sender:
    """Sends the rows of a run that were not sent, and those that are to be sent again."""

    def __init__(
        self, source: RunSource, publisher: RecordPublisher, progress: RunProgress
    ) -> None:
        """Read the source up to the first row that was not sent."""
        self._source = source
        self._publisher = publisher
        self._progress = progress
        self._rows = enumerate(source.open_rows())
        self._in_flight: dict[int, tuple[SourceRow, int]] = {}
        self._in_flight_bytes = 0
        self._next_retry = 0.0
        self._unsendable = 0
        self.is_exhausted = False
        """Whether every row of the source was sent."""
        for number, row in islice(self._rows, progress.sent):
            if number in progress.unanswered or number in progress.waiting:
                self._in_flight[number] = (row, 0)

    def send(self) -> int:
        """Send rows in one transaction, if the window has room; return their number.

        Until a first row is answered, one row is sent at a time, as its model may not be loaded.

        Raises:
            TransactionAborted: no row was sent.
            ProducerLost: it is not known whether the rows were sent.
        """
        sent: list[tuple[RowAttempt, SourceRow]] = []
        records: list[ProducerRecord] = []
        size, last = 0, -1
        for attempt, row in self._due():
            last = max(last, attempt.row)
            try:
                record = self._source.record(attempt, row)
            except ValueError as error:
                self._log_unsendable(attempt.row, str(error))
                continue
            records.append(record)
            sent.append((attempt, row))
            size += len(record.value or b"")
            if size >= MAX_CHUNK_BYTES:
                break
        if records:
            self._publisher.publish(records)
        self._note(sent, size)
        self._progress.note_unsendable(last + 1 - self._progress.sent)
        return len(records)

    def forget(self, row: int) -> None:
        """Forget a row that is settled."""
        _, size = self._in_flight.pop(row, (None, 0))
        self._in_flight_bytes -= size

    def _due(self) -> Iterator[tuple[RowAttempt, SourceRow]]:
        """Yield the rows to send next, with their attempts."""
        progress, limits = self._progress, self._source.limits
        if progress.waiting and monotonic() >= self._next_retry:
            self._next_retry = monotonic() + RETRY_SECONDS
            for number, attempt in list(progress.waiting.items())[: limits.chunk]:
                yield RowAttempt(number, attempt), self._in_flight[number][0]
        room = limits.window - progress.in_flight
        if self._in_flight_bytes >= MAX_IN_FLIGHT_BYTES or room < min(
            limits.chunk, limits.window // 4
        ):
            return
        if not progress.settled:
            room = 1 if progress.in_flight == 0 else 0
        for _ in range(min(room, limits.chunk)):
            found = next(self._rows, None)
            if found is None:
                self.is_exhausted = True
                return
            yield RowAttempt(found[0]), found[1]

    def _note(self, sent: list[tuple[RowAttempt, SourceRow]], size: int) -> None:
        each = size // max(1, len(sent))
        for attempt, row in sent:
            self._progress.note_sent(*attempt)
            self.forget(attempt.row)
            self._in_flight[attempt.row] = (row, each)
            self._in_flight_bytes += each

    def _log_unsendable(self, number: int, reason: str) -> None:
        self._unsendable += 1
        if self._unsendable <= MAX_LOGGED:
            log = structlog.get_logger(__name__)
            log.warning("row not sent", row=number + 1, reason=reason)
