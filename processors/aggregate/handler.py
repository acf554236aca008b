"""The handler of the aggregator: records of events in, changed partial aggregates out. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from statistics import median_low
from typing import NamedTuple

import structlog

from modstream.broker.loop.ports import HandlerResult
from modstream.broker.wire.records import ProducerRecord, Record, TopicPartition, first_offsets
from modstream.processors.aggregate.counts import Added, Counts
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.updates import (
    BACKFILL,
    ProgressUpdate,
    StartUpdate,
    UnknownUpdate,
    Update,
    UpdateCodec,
)
from modstream.processors.errors import TooManyPartials
from modstream.processors.features.events import Event
from modstream.processors.features.feature_set import Contribution, FeatureSet

WATERMARK_EVENTS = 101
"""The watermark is the median time of so many newest events: no single event moves it."""

EXPIRY_INTERVAL_MS = 60_000
"""Slices are removed when the watermark has advanced by as much."""

EXPIRED_AT_ONCE = 2000
"""How much a batch removes; more if it changes more, so that removal is never slower."""


class Watermark:
    """The median event time of the newest events, in ms; None before there are enough."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=WATERMARK_EVENTS)
        self.value: int | None = None

    def add(self, times: Iterable[int]) -> None:
        """Take the times of more events; the watermark never goes back."""
        self._times.extend(times)
        if len(self._times) == WATERMARK_EVENTS:
            found = median_low(self._times)
            self.value = found if self.value is None else max(found, self.value)


class Bounds(NamedTuple):
    """By how much requests may be late in ms, and the maximum number of partial aggregates."""

    lateness_ms: int
    max_partials: int


class AggregateHandler:
    """Counts the events of polled batches, and returns the partial aggregates that have changed.

    An owner, which is a partition of a source, is recovered from the topic of features when it is
    assigned, and when its records are read again because a transaction was aborted. What the
    handler returns must be committed with the offsets of the batch.
    """

    def __init__(
        self,
        features: FeatureSet,
        decoder: EventDecoder,
        codec: UpdateCodec,
        counts: Counts,
        epoch: Callable[[TopicPartition], int],
        bounds: Bounds,
    ) -> None:
        self._decoder, self._codec, self._epoch = decoder, codec, epoch
        self._features = features
        self._bounds = bounds
        self._epochs: dict[TopicPartition, int] = {}
        self._watermark = Watermark()
        self._expired_at = 0
        self.events = 0
        """The number of events that were counted."""
        self.counts = counts
        self.progress = counts.progress

    @property
    def watermark(self) -> int | None:
        """The event time in ms up to which slices are removed, less the lateness."""
        return self._watermark.value

    def begin(self, positions: Mapping[TopicPartition, int]) -> Iterator[ProducerRecord]:
        """Recover owners that were just assigned, and return what is new about them.

        Args:
            positions: the next offset of each; aggregations that are new here count from it on.

        Returns:
            The starts of new aggregations, and tombstones of those that are not defined any more.
        """
        unknown = self._recover_stale(positions)
        starts = [self._codec.encode(one) for one in self._new_starts(positions)]
        return chain(starts, map(self._codec.remove, unknown))

    def end(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget owners that another aggregator counts from now on."""
        for partition in partitions:
            self._epochs.pop(partition, None)
            self.counts.forget((str(partition), f"{BACKFILL}{partition}"))

    def __call__(self, batch: Sequence[Record]) -> HandlerResult:
        """Count the events of a batch.

        Raises:
            TooManyPartials: the limit is exceeded.
            StateUnusable: the state on disk cannot be read or written.
        """
        firsts = first_offsets(batch)
        self._recover_stale(firsts)
        added: list[Added] = []
        times: list[int] = []
        for record in batch:
            owner = str(record.topic_partition)
            for event in self._decoder.decode(record):
                times.append(event.time)
                added += [(owner, one) for one in self._contributions(event)]
            self.progress.next_offsets[owner] = record.offset + 1
        self.events += len(times)
        self._watermark.add(times)
        updates: list[Update] = [*self.counts.merge(added)]
        self._check_size()
        updates += self._expired(max(EXPIRED_AT_ONCE, 2 * len(updates)))
        owners = map(str, firsts)
        updates += [ProgressUpdate(one, self.progress.next_offsets[one]) for one in owners]
        return HandlerResult(self._encoded(updates))

    def _contributions(self, event: Event) -> list[Contribution]:
        """Return what an event adds; one that cannot be counted adds nothing, and is logged."""
        try:
            return list(self._features.contributions(event))
        except Exception:  # noqa: BLE001 - a value from outside must not end the process
            self._decoder.unreadable += 1
            structlog.get_logger(__name__).exception("an event is not counted", id=event.id)
            return []

    def _encoded(self, updates: Iterable[Update]) -> list[ProducerRecord]:
        """Return the records of updates; of several with one key, the last."""
        records = map(self._codec.encode, updates)
        return list({record.key: record for record in records}.values())

    def _recover_stale(self, firsts: Mapping[TopicPartition, int]) -> Iterable[UnknownUpdate]:
        """Recover owners that were assigned anew, or whose records are read again.

        Returns:
            What they have of aggregations that are not defined any more.
        """
        stale = {}
        for partition, first in firsts.items():
            owner, epoch = str(partition), self._epoch(partition)
            is_new = self._epochs.get(partition) != epoch
            if is_new or first < self.progress.next_offsets.get(owner, 0):
                stale[owner] = partition, epoch
        if not stale:
            return []
        unknown = self.counts.recover({*stale, *(BACKFILL + owner for owner in stale)})
        self._epochs.update(stale.values())
        return unknown

    def _new_starts(self, positions: Mapping[TopicPartition, int]) -> Iterator[StartUpdate]:
        """Yield the starts of aggregations that have not counted an owner's records before."""
        for partition, position in positions.items():
            owner = str(partition)
            for name in self._decoder.fed_by(partition.topic):
                if (owner, name) not in self.progress.starts:
                    self.progress.starts[owner, name] = position
                    yield StartUpdate(owner, name, position)

    def _expired(self, limit: int) -> Sequence[Update]:
        """Remove slices that no request can read any more, and return some of their updates."""
        watermark = self._watermark.value
        if watermark is not None and watermark >= self._expired_at + EXPIRY_INTERVAL_MS:
            self._expired_at = watermark
            self.counts.expire(watermark - self._bounds.lateness_ms)
        return self.counts.expired(limit)

    def _check_size(self) -> None:
        """Raise TooManyPartials if the limit is exceeded."""
        found, limit = self.counts.entries, self._bounds.max_partials
        if found > limit:
            grouped = sorted(self._features.definitions, key=lambda one: -len(one.group))
            raise TooManyPartials(found, limit, [one.name for one in grouped[:3]])
