"""Recounts events from recorded sources, up to the offsets that an aggregator had counted. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from modstream.broker.wire.records import Record
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.updates import (
    BACKFILL,
    PartialUpdate,
    Progress,
    ProgressUpdate,
    StartUpdate,
    Update,
)
from modstream.processors.features.feature_set import Contribution, FeatureSet
from modstream.processors.features.state import FeatureState


@dataclass(slots=True)
class CountedOffsets:
    """By owner: the offsets of the topic of features at which its progress was written, and it."""

    written: dict[str, list[int]] = field(default_factory=dict)
    counted: dict[str, list[int]] = field(default_factory=dict)

    def note(self, position: int, update: ProgressUpdate) -> None:
        """Take the progress that was written at an offset of the topic of features."""
        self.written.setdefault(update.owner, []).append(position)
        self.counted.setdefault(update.owner, []).append(update.offset)

    def before(self, owner: str, position: int) -> int:
        """Return the next offset of an owner as the records before a position say it; 0 if none."""
        number = bisect_left(self.written.get(owner, ()), position)
        return self.counted[owner][number - 1] if number else 0


class Recount:
    """Features as their sources make them at each position of the topic of features, in order.

    What the aggregator has written counts only as a statement of how far it had read: the values
    are made anew from the records of the sources.
    """

    def __init__(self, features: FeatureSet, decoder: EventDecoder) -> None:
        self.state = FeatureState(features)
        self.offsets = CountedOffsets()
        self._features, self._decoder = features, decoder
        self._progress = Progress()
        self._backfilled: list[tuple[int, PartialUpdate]] = []
        self._records: dict[str, list[Record]] = {}
        self._next: dict[str, int] = {}

    def note(self, position: int, update: Update) -> None:
        """Take an update of the topic of features, at its offset."""
        if isinstance(update, ProgressUpdate):
            self.offsets.note(position, update)
        elif isinstance(update, StartUpdate):
            self._progress.note(update)
        elif update.owner.startswith(BACKFILL):
            self._backfilled.append((position, update))

    def add_source(self, owner: str, records: Iterable[Record]) -> None:
        """Take all records of a partition of a source, in their order."""
        self._records[owner] = list(records)
        self._next[owner] = 0

    def advance(self, position: int) -> None:
        """Count what was counted before a position, which is not lower than the last one."""
        for owner in self._records:
            self._count(owner, self.offsets.before(owner, position))
        while self._backfilled and self._backfilled[0][0] < position:
            _, update = self._backfilled.pop(0)
            self.state.replace(update.owner, update.key, update.partial)

    def _count(self, owner: str, end: int) -> None:
        records, at = self._records[owner], self._next[owner]
        while at < len(records) and records[at].offset < end:
            record = records[at]
            for event in self._decoder.decode(record):
                found = self._features.contributions(event)
                self.state.add(owner, started(self._progress.starts, owner, record.offset, found))
            at += 1
        self._next[owner] = at


def started(
    starts: Mapping[tuple[str, str], int],
    owner: str,
    offset: int,
    contributions: Iterable[Contribution],
) -> list[Contribution]:
    """Return the contributions to aggregations that had started at an offset of an owner."""
    return [
        (key, partial)
        for key, partial in contributions
        if offset >= starts.get((owner, key.aggregation), offset + 1)
    ]
