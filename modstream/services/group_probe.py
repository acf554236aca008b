"""What a member of a consumer group has not delivered, for the thread of its watchdog."""

from collections.abc import Callable, Sequence

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.wire.records import OffsetRanges, TopicPartition


class GroupProbe:
    """The pending records of a member's own partitions.

    Args:
        connection: how to reach Kafka.
        group: the consumer group.
        topics: what it reads.
        source: the member.
        deliveries: returns the number of delivered batches.
    """

    def __init__(
        self,
        connection: Connection,
        group: str,
        topics: Sequence[str],
        source: GroupConsumer,
        deliveries: Callable[[], int],
    ) -> None:
        self.deliveries = deliveries
        self._connection, self._group, self._topics = connection, group, topics
        self._source = source
        self._admin = Admin(connection)

    def drained_polls(self) -> int:
        """Return how often a poll returned fewer records than it asked for."""
        return self._source.drained_polls

    def pending(self) -> OffsetRanges:
        """Return the offsets that are not committed yet; transaction markers are among them."""
        done = self._admin.committed_offsets(self._group, self._topics)
        ends = self._admin.end_offsets(self._topics, committed=True)
        ranges = {one: (done.get(one, 0), ends[one]) for one in self._source.owned if one in ends}
        return {one: offsets for one, offsets in ranges.items() if offsets[1] > offsets[0]}

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether the ranges hold a committed record."""
        by_topic: dict[str, dict[TopicPartition, tuple[int, int]]] = {}
        for partition, offsets in ranges.items():
            by_topic.setdefault(partition.topic, {})[partition] = offsets
        return any(
            True
            for topic, found in by_topic.items()
            for _ in read_offset_ranges(self._connection, topic, found)
        )
