"""What the joiner reads, and the Kafka operations that it needs."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import ProducerRecord, Record, TopicPartition
from modstream.processors.join.entry_store import OffsetRange

KeyValue = tuple[bytes | None, bytes | None]


class FetchedChunk(NamedTuple):
    """Consecutive committed records of one partition.

    `start` is the offset at which the fetch continued, None if unknown; `end` is the next offset
    to fetch. The offsets between them without a record are markers and aborted records.
    """

    start: int | None
    end: int
    records: Sequence[Record]


class JoinedBatch(NamedTuple):
    """Consecutive records of one input that were joined, and what was published for them.

    `started` is when their processing began, in ns since the epoch.
    """

    records: Sequence[Record]
    published: Sequence[ProducerRecord]
    started: int


OnJoined = Callable[[JoinedBatch], None]
"""Called with each batch once its results are durable. It must not raise."""


def ignore_joined(_batch: JoinedBatch) -> None:
    """Do nothing: the default observer of joined batches."""


class Protection(NamedTuple):
    """The journal of records in hand, and the maximum record sizes of the topics written to."""

    journal: CrashJournal
    limits: RecordLimits


class JoinerIO(Protocol):
    """The Kafka operations that the joiner needs."""

    async def send_rows(
        self, topic: str, partition: int, rows: Iterable[KeyValue]
    ) -> OffsetRange | None:
        """Send rows to one partition and wait until they are acknowledged.

        Returns:
            Their offsets; None if other rows are between them, or the broker does not tell.
        """

    async def send_records(
        self, topic: str, partition: int, records: Iterable[ProducerRecord]
    ) -> OffsetRange | None:
        """Send records with their headers and timestamps likewise."""

    def at_end(self, tp: TopicPartition) -> bool:
        """Return whether everything committed in this partition was fetched and processed."""

    def set_paused(self, tp: TopicPartition, *, is_paused: bool) -> None:
        """Pause fetching from this partition, or resume it."""
