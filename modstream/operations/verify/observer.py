"""Witnesses: readers beside the run that note everything that leaves the stream."""

from collections.abc import Callable, Iterable, Iterator
from threading import Condition, Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

import structlog

from modstream.audit.lenient_messages import asked
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_spans
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import Offsets, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.operations.verify.outcomes import Place, Sighting, sighting

PAUSE = 0.2
LAST_LOOK = 10.0
"""Seconds that a witness may take to read to the end when it is dismissed."""


def exits(topics: Topics) -> tuple[str, str]:
    """The topics by which requests leave a stream."""
    return topics.predictions, topics.dlq


class Witness:
    """Notes in a thread what leaves the stream from `start` on; `scope` begins the ids it notes.

    `committed` is how it reads; records without an id are always noted. While the broker is away
    it waits. Leaving the context lets it read to the end first.
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
        self.seen: list[Sighting] = []
        self.ids: set[str] = set()
        self._topics = topics
        self._scope = scope
        self._changed = Condition()
        self._dismissed = Event()
        self._reader = Reader(connection, exits(topics), start, committed=committed)
        self._thread = Thread(target=self._watch, name="witness", daemon=True)

    @property
    def answered(self) -> int:
        """Different requests whose ways out it has seen."""
        return len(self.ids)

    def wait_for(self, wish: Callable[[int], bool], timeout: float) -> bool:
        """Wait until the count of answered requests fulfils a wish; False after `timeout` s."""
        with self._changed:
            return self._changed.wait_for(lambda: wish(self.answered), timeout)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dismissed.set()
        self._thread.join()
        self._reader.close()

    def _watch(self) -> None:
        deadline = None
        while True:
            if self._dismissed.is_set():
                deadline = deadline or monotonic() + LAST_LOOK
                if self._reader.at_end() or monotonic() > deadline:
                    return
            try:
                self._note()
            except BrokerError as error:
                structlog.get_logger(__name__).warning("witness waits", cause=str(error))
                self._dismissed.wait(PAUSE)

    def _note(self) -> None:
        noted = [sighting(record, self._topics) for record in self._reader.poll()]
        ours = [one for one in noted if not one.id or one.id.startswith(self._scope)]
        with self._changed:
            self.seen.extend(ours)
            self.ids.update(one.id for one in ours if one.id)
            self._changed.notify_all()


def final_truth(
    connection: Connection, topics: Topics, start: Offsets, scope: str = ""
) -> Iterator[Sighting]:
    """Everything committed that left the stream from `start` to where its topics end now.

    Raises:
        BrokerError: reading failed; then nothing is known.
    """
    with Reader(connection, exits(topics), start) as reader:
        while not reader.at_end():
            for record in reader.poll(timeout=0.2):
                one = sighting(record, topics)
                if not one.id or one.id.startswith(scope):
                    yield one


def copies_among(
    connection: Connection, topic: str, named: Iterable[tuple[str, Place]]
) -> set[tuple[str, Place]]:
    """Those of the named places at which the request of that id lies indeed.

    Raises:
        BrokerError: reading failed; then nothing is known.
    """
    wanted = set(named)
    spans: dict[TopicPartition, tuple[int, int]] = {}
    for _, (partition, offset) in wanted:
        home = TopicPartition(topic, partition)
        first, stop = spans.get(home, (offset, offset))
        spans[home] = min(first, offset), max(stop, offset + 1)
    found = read_spans(connection, topic, spans)
    legible = ((asked(one.value), Place(one.partition, one.offset)) for one in found)
    return wanted & {(request.id, place) for request, place in legible if request is not None}
