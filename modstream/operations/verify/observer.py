"""Observers: background readers that collect all outcomes during a verification run."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from threading import Condition, Event
from time import monotonic
from typing import Self

import structlog

from modstream.audit.lenient_messages import read_request
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_offset_ranges
from modstream.broker.errors import BrokerError
from modstream.broker.wire.event_requests import request_record
from modstream.broker.wire.records import Offsets, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.operations.verify.outcomes import Outcome, PartitionOffset, decode_outcome
from modstream.process.background import BackgroundThread

RETRY_INTERVAL_S = 0.2
FINAL_READ_TIMEOUT_S = 10.0
"""Maximum time that an observer may read on to the end when it is stopped."""


def exit_topics(topics: Topics) -> tuple[str, str]:
    """Return the topics by which requests leave a stream."""
    return topics.predictions, topics.dlq


class Observer:
    """A background thread that collects the outcomes from `start` on whose ids start with `scope`.

    Outcomes without an id are always collected. `committed` selects the isolation level of the
    reader. While the broker is unavailable, the thread retries. Leaving the context waits until it
    has read to the end.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        start: Offsets,
        *,
        committed: bool = True,
        scope: str = "",
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.ids: set[str] = set()
        self._topics = topics
        self._scope = scope
        self._changed = Condition()
        self._reader = Reader(connection, exit_topics(topics), start, committed=committed)
        self._thread = BackgroundThread("observer", self._observe)
        self._exit = ExitStack()

    @property
    def answered(self) -> int:
        """The number of different requests with an outcome."""
        return len(self.ids)

    def wait_for(self, condition: Callable[[int], bool], timeout: float) -> bool:
        """Wait for a condition on the number of answered requests; False after `timeout` s."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.answered), timeout)

    def __enter__(self) -> Self:
        self._exit.enter_context(self._reader)
        self._exit.enter_context(self._thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _observe(self, stop: Event) -> None:
        deadline = None
        while True:
            if stop.is_set():
                deadline = deadline or monotonic() + FINAL_READ_TIMEOUT_S
                if self._reader.at_end() or monotonic() > deadline:
                    return
            try:
                self._poll()
            except BrokerError as error:
                structlog.get_logger(__name__).warning("observer retries", cause=str(error))
                stop.wait(RETRY_INTERVAL_S)

    def _poll(self) -> None:
        outcomes = [decode_outcome(record, self._topics) for record in self._reader.poll()]
        ours = [
            outcome for outcome in outcomes if not outcome.id or outcome.id.startswith(self._scope)
        ]
        with self._changed:
            self.outcomes.extend(ours)
            self.ids.update(outcome.id for outcome in ours if outcome.id)
            self._changed.notify_all()


def read_outcomes(
    connection: Connection, topics: Topics, start: Offsets, scope: str = ""
) -> Iterator[Outcome]:
    """Read all committed outcomes from `start` to the current end of the topics.

    Raises:
        BrokerError: reading failed, so no verdict is possible.
    """
    with Reader(connection, exit_topics(topics), start) as reader:
        while not reader.at_end():
            for record in reader.poll(timeout=0.2):
                outcome = decode_outcome(record, topics)
                if not outcome.id or outcome.id.startswith(scope):
                    yield outcome


def find_copies(
    connection: Connection, topic: str, candidates: Iterable[tuple[str, PartitionOffset]]
) -> set[tuple[str, PartitionOffset]]:
    """Return those candidates whose position really has the request with that id.

    Raises:
        BrokerError: reading failed, so no verdict is possible.
    """
    expected = set(candidates)
    ranges: dict[TopicPartition, tuple[int, int]] = {}
    for _, (partition, offset) in expected:
        topic_partition = TopicPartition(topic, partition)
        first, stop = ranges.get(topic_partition, (offset, offset))
        ranges[topic_partition] = min(first, offset), max(stop, offset + 1)
    records = read_offset_ranges(connection, topic, ranges)
    requests = (
        (
            read_request(request_record(record).value),
            PartitionOffset(record.partition, record.offset),
        )
        for record in records
    )
    return expected & {
        (request.id, position) for request, position in requests if request is not None
    }
