"""What a service has not read of its topic, for the thread of its watchdog."""

from collections.abc import Callable, Mapping

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_offset_ranges
from modstream.broker.wire.records import OffsetRanges, TopicPartition

Positions = Callable[[], Mapping[TopicPartition, int] | None]
"""Returns the next offset of each partition; None while a restart of the service would not help."""


class ReaderProbe:
    """The records of one topic that the reader of a service has not read.

    Args:
        connection: how to reach Kafka.
        reader: reads the partitions of the topic.
        deliveries: returns the number of records that were read.
        positions: returns up to where they were handled.
    """

    def __init__(
        self,
        connection: Connection,
        reader: Reader,
        deliveries: Callable[[], int],
        positions: Positions,
    ) -> None:
        self.deliveries = deliveries
        self._connection = connection
        self._reader = reader
        self._positions = positions
        self._admin = Admin(connection)

    def drained_polls(self) -> int:
        """Return how often a poll returned fewer records than it asked for."""
        return self._reader.drained_polls

    def pending(self) -> OffsetRanges:
        """Return the offsets that were not read; transaction markers are among them."""
        done = self._positions()
        if done is None:
            return {}
        ends = self._admin.end_offsets([self._topic], committed=True)
        ranges = {one: (done.get(one, 0), ends[one]) for one in self._reader.partitions}
        return {one: offsets for one, offsets in ranges.items() if offsets[1] > offsets[0]}

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether the ranges hold a committed record."""
        return any(True for _ in read_offset_ranges(self._connection, self._topic, ranges))

    @property
    def _topic(self) -> str:
        return self._reader.partitions[0].topic
