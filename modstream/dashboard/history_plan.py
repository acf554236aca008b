"""The plan by which the history of a stream is read after a start: backwards, in slices. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from modstream.broker.wire.records import (
    OffsetRanges,
    Offsets,
    Record,
    TopicPartition,
    next_offsets,
)

MIN_SLICE_RECORDS = 50_000
"""Slices with fewer offsets are read together with older ones."""


@dataclass(slots=True)
class Slice:
    """The offsets of some time of the history that are still to be read; `start` is in ms.

    After all of them, every record since `start` is known.
    """

    start: int
    ranges: dict[TopicPartition, tuple[int, int]]

    @property
    def size(self) -> int:
        """The number of offsets to read."""
        return sum(stop - first for first, stop in self.ranges.values())

    def of_topic(self, topic: str) -> OffsetRanges:
        """Return the ranges of one topic."""
        return {one: bounds for one, bounds in self.ranges.items() if one.topic == topic}

    def topics(self) -> tuple[str, ...]:
        """Return the topics with offsets to read, in their order."""
        return tuple(dict.fromkeys(one.topic for one in self.ranges))

    def select(self, records: Iterable[Record]) -> list[Record]:
        """Return the records that are still to be read, and note that they are read now."""
        records = list(records)
        wanted = [
            one
            for one in records
            if one.offset < self.ranges.get(one[:2], (0, 0))[1]  # type: ignore[call-overload] # equals a TopicPartition
        ]
        for partition, next_offset in next_offsets(records).items():
            first, stop = self.ranges.pop(partition, (0, 0))
            if next_offset < stop:
                self.ranges[partition] = (max(first, next_offset), stop)
        return wanted

    def note_topic(self, topic: str) -> None:
        """Note that all offsets of a topic were read, as far as they hold records."""
        for partition in self.of_topic(topic):
            del self.ranges[partition]


def plan_slices(starts: Sequence[tuple[int, Offsets]], ends: Offsets) -> list[Slice]:
    """Return the slices of a history, the newest first.

    Args:
        starts: times (ms), rising, with the offset of the first record since each of them.
        ends: the offsets at which the history ends.
    """
    slices: list[Slice] = []
    stops = dict(ends)
    for time, offsets in reversed(starts):
        ranges = dict(_ranges(offsets, stops))
        stops = {one: min(stop, offsets.get(one, stop)) for one, stop in stops.items()}
        newest = slices[-1] if slices else None
        if newest is not None and newest.size < MIN_SLICE_RECORDS:
            slices[-1] = Slice(time, _joined(newest.ranges, ranges))
        else:
            slices.append(Slice(time, ranges))
    return slices


def _ranges(
    offsets: Offsets, stops: Mapping[TopicPartition, int]
) -> Iterator[tuple[TopicPartition, tuple[int, int]]]:
    for partition, stop in stops.items():
        first = min(offsets.get(partition, stop), stop)
        if first < stop:
            yield partition, (first, stop)


def _joined(newer: OffsetRanges, older: OffsetRanges) -> dict[TopicPartition, tuple[int, int]]:
    """Return the ranges of a slice and of the one right before it."""
    joined = {**older, **newer}
    for partition, (first, _) in older.items():
        joined[partition] = (first, joined[partition][1])
    return dict(sorted(joined.items()))
