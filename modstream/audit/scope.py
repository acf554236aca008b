"""The part of a stream that an audit accounts for, while the stream runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from modstream.broker.wire.records import OffsetRanges, Record, TopicPartition


class Place(Enum):
    """Where a record is in relation to a scope."""

    BEFORE = "before"
    INSIDE = "inside"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class AuditScope:
    """The offsets that are accounted for, by partition; other partitions as a whole.

    Attributes:
        ranges: of requests, those of the time span that workers have answered; of labels, those
            that the joiner has read; of feedback, those that are still retained. What comes
            after them waits and is no fault; what comes before them belongs to an earlier time.
        joined: the offsets of predictions up to which the joiner has read. Without one, it has
            read nothing.
    """

    ranges: OffsetRanges = field(default_factory=dict)
    joined: Mapping[TopicPartition, int] = field(default_factory=dict)

    def place(self, partition: TopicPartition, offset: int) -> Place:
        """Return where an offset is."""
        found = self.ranges.get(partition)
        if found is None or found[0] <= offset < found[1]:
            return Place.INSIDE
        return Place.BEFORE if offset < found[0] else Place.AFTER

    def place_of(self, record: Record) -> Place:
        """Return where a record is."""
        return self.place(record.topic_partition, record.offset)

    def is_joined(self, prediction: Record) -> bool:
        """Return whether the joiner has read a prediction."""
        return prediction.offset < self.joined.get(prediction.topic_partition, 0)

    def covers(self, first: Mapping[str, int], stop: Mapping[str, int], topic: str) -> bool:
        """Return whether offsets of a topic are inside, from first ones to before others.

        Offsets are by "topic:partition"; a partition that is left out begins at 0.
        """
        own = {str(one): offsets for one, offsets in self.ranges.items() if one.topic == topic}
        return all(
            start <= first.get(name, 0) and stop.get(name, 0) <= end
            for name, (start, end) in own.items()
        )
