"""Reading of offset ranges of topics without a consumer group, for questions about the past."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.wire.records import OffsetRanges, Record

ReadProgressCallback = Callable[[str, int, int], None]
"""Receives the topic being read, the number of records so far, and the number of offsets."""
PROGRESS_INTERVAL = 1000
"""Records between two reports of progress."""


def find_ranges(
    admin: Admin, topics: Sequence[str], since: int | None = None, until: int | None = None
) -> OffsetRanges:
    """Return the offsets written from `since` to before `until` (ms since the epoch).

    None means no bound. Each bound is a partition's first offset with a timestamp of that time or
    later, so a record that is out of order stays with its neighbours.

    Raises:
        TopicMissing: a topic does not exist.
        BrokerUnavailable: no broker answers.
    """
    ends = admin.end_offsets(topics) if until is None else admin.offsets_since(topics, until)
    starts = {} if since is None else admin.offsets_since(topics, since)
    return {partition: (starts.get(partition, 0), end) for partition, end in ends.items()}


@dataclass(slots=True)
class _Progress:
    """How far a topic is read."""

    topic: str
    count: int
    total: int
    on_progress: ReadProgressCallback

    def show(self) -> None:
        """Report the progress."""
        self.on_progress(self.topic, self.count, self.total)


def read_ranges(
    connection: Connection, ranges: OffsetRanges, on_progress: ReadProgressCallback
) -> Iterator[Record]:
    """Yield the committed records of some ranges by topic, in the order of each partition.

    `on_progress` is called at each topic, every 1,000 records, and several times a second while no
    record arrives: an exception that it raises ends the read.
    """
    filled = {partition: bounds for partition, bounds in ranges.items() if bounds[1] > bounds[0]}
    total, count = sum(end - start for start, end in filled.values()), 0
    for topic in dict.fromkeys(partition.topic for partition in filled):
        own = {
            partition: bounds for partition, bounds in filled.items() if partition.topic == topic
        }
        on_progress(topic, count, total)
        progress = _Progress(topic, count, total, on_progress)
        for record in read_offset_ranges(connection, topic, own, progress.show):
            progress.count += 1
            if progress.count % PROGRESS_INTERVAL == 0:
                progress.show()
            yield record
        count = progress.count
