"""Deduplication of requests: a client that is unsure may send the same id again.

A record is a duplicate if one of the `size` offsets before it in its partition holds the same id.
This depends only on the topic's content, so the result is the same after a crash, a rebalance or a
rewind. The window in memory is a copy of the topic; it is read back where it is incomplete.
"""

from bisect import bisect_left
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.loop.isolation import is_fault
from modstream.broker.wire.cloud_events import EventContext
from modstream.broker.wire.codec import check_size, decode
from modstream.broker.wire.contracts import Contract
from modstream.broker.wire.event_requests import open_event, request_record
from modstream.broker.wire.identifiers import RequestId
from modstream.broker.wire.record_batch import parse_headers
from modstream.broker.wire.records import OffsetRanges, Offsets, Record, TopicPartition
from modstream.broker.wire.sent_back import Proof, letter_name, no_proof
from modstream.broker.wire.tensor_binary import split_payload

ReadBack = Callable[[OffsetRanges], Iterable[Record]]
"""Reads the records of offset ranges, each partition in the order of its offsets."""


class IdOnly(Contract):
    """A request's id, without the rest of the request."""

    id: RequestId


@dataclass(slots=True)
class Segment:
    """Ids in the order of their offsets, and the last offset of each id."""

    ids: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)

    def append(self, offsets: Sequence[int], ids: Sequence[str]) -> None:
        """Append ids at ascending offsets that are higher than all others."""
        self.ids += ids
        self.offsets += offsets
        self.last.update(zip(ids, offsets, strict=True))

    def truncate(self, offset: int) -> None:
        """Remove the ids at this offset and at higher ones."""
        kept = bisect_left(self.offsets, offset)
        if kept < len(self.offsets):
            del self.ids[kept:], self.offsets[kept:]
            self.last = dict(zip(self.ids, self.offsets, strict=True))


@dataclass(slots=True)
class DedupWindow:
    """The ids of one partition's latest offsets. It follows a reader that is rewound.

    The ids are in two segments. The older one is dropped as a whole, which costs nothing per id.
    At least twice `size` offsets are kept, so that a rewound reader finds what it compares with.
    """

    size: int
    older: Segment = field(default_factory=Segment)
    newer: Segment = field(default_factory=Segment)

    def is_duplicate(self, offset: int, request_id: str) -> bool:
        """Add one id, and return whether it repeats an earlier one."""
        return bool(self.add([offset], [request_id]))

    def add(self, offsets: Sequence[int], ids: Sequence[str]) -> list[int]:
        """Add ids at ascending offsets, and return the indices of those that repeat earlier ones.

        Most batches contain no duplicate, so sets are compared first; that takes a fifth of the
        time of per-id lookups.
        """
        self.older.truncate(offsets[0])
        self.newer.truncate(offsets[0])
        if self.newer.offsets and offsets[0] - self.newer.offsets[0] > 2 * self.size:
            self.older, self.newer = self.newer, Segment()
        found = [] if self._are_new(ids) else self._compare(offsets, ids)
        self.newer.append(offsets, ids)
        return found

    def _are_new(self, ids: Sequence[str]) -> bool:
        return (
            len(set(ids)) == len(ids)
            and self.newer.last.keys().isdisjoint(ids)
            and self.older.last.keys().isdisjoint(ids)
        )

    def _compare(self, offsets: Sequence[int], ids: Sequence[str]) -> list[int]:
        found: list[int] = []
        last: ChainMap[str, int] = ChainMap({}, self.newer.last, self.older.last)
        for index, (offset, request_id) in enumerate(zip(offsets, ids, strict=True)):
            before = last.get(request_id)
            last[request_id] = offset
            if before is not None and offset - before <= self.size:
                found.append(index)
        return found


class Deduplicator:
    """The dedup windows of the partitions that a worker holds.

    `assignment_epoch` returns how often a partition was assigned to this worker. When it changes,
    another worker may have held the partition, and the window is read back.

    A request that was redriven repeats an id, and is none the less answered: once for each dead
    letter, if `was_redriven` proves that it is the letter's request.
    """

    def __init__(
        self,
        size: int,
        read_back: ReadBack,
        assignment_epoch: Callable[[TopicPartition], int],
        max_request_bytes: int | None = None,
        was_redriven: Proof = no_proof,
    ) -> None:
        self.duplicates = 0
        self._size = size
        self._read_back = read_back
        self._assignment_epoch = assignment_epoch
        self._max_request_bytes = max_request_bytes
        self._was_redriven = was_redriven
        self._windows: dict[TopicPartition, tuple[int, DedupWindow]] = {}
        self._letters: dict[TopicPartition, DedupWindow] = {}

    def backfill(self, first_offsets: Offsets) -> None:
        """Read back the offsets before a batch, in partitions that were just assigned.

        Args:
            first_offsets: the first offset of the batch in each of its partitions.
        """
        fresh: dict[TopicPartition, int] = {}
        for partition in first_offsets:
            epoch = self._assignment_epoch(partition)
            known = self._windows.get(partition)
            if known is None or known[0] != epoch:
                fresh[partition] = epoch
        if not fresh:
            return
        firsts = {partition: first_offsets[partition] for partition in fresh}
        ranges = {p: (max(0, first - self._size), first) for p, first in firsts.items() if first}
        records = self._read_window(ranges) if ranges else []
        for partition, epoch in fresh.items():
            self._windows[partition] = (epoch, DedupWindow(self._size))
            self._letters[partition] = DedupWindow(self._size)
        self._add_letters(records)
        self._add(records, [self._read_id(record) for record in records])

    def note(self, record: Record) -> None:
        """Add the id of a record that was answered without `find_duplicates`, if it is readable."""
        self.backfill({record.topic_partition: record.offset})
        self._add_letters([record])
        self._add([record], [self._read_id(record)])

    def find_duplicates(self, batch: Sequence[Record], ids: Sequence[str | None]) -> set[int]:
        """Add the ids of a batch, and return the positions of duplicates.

        A record without a readable id (None) is not a duplicate, nor is one that was redriven.
        """
        redriven_again = self._add_letters(batch)
        duplicates = {
            position
            for position in self._add(batch, ids)
            if position in redriven_again or not self._was_redriven(batch[position], ids[position])
        }
        self.duplicates += len(duplicates)
        return duplicates

    def _add_letters(self, batch: Sequence[Record]) -> set[int]:
        """Add the dead letters that records name; return the positions of repeated ones."""
        return {
            position
            for position, record in enumerate(batch)
            if record.headers
            and (name := letter_name(record)) is not None
            and self._letters[record.topic_partition].is_duplicate(record.offset, name)
        }

    def _read_window(self, ranges: OffsetRanges) -> list[Record]:
        """Read offset ranges; those that the client cannot read are left out."""
        records: list[Record] = []
        try:
            records.extend(self._read_back(ranges))
        except BaseException as error:
            if not is_fault(error):
                raise
            # The window is incomplete, and a request in it may be answered again. Without this, the
            # worker would fail at every start, as long as the record is within the window.
            structlog.get_logger(__name__).exception("dedup window not read", ranges=len(ranges))
        return records

    def _read_id(self, record: Record) -> str | None:
        """Return a request's id; None where reading it fails, whatever the record contains."""
        try:
            return read_dedup_id(record, self._max_request_bytes)
        except BaseException as error:
            if not is_fault(error):
                raise
            structlog.get_logger(__name__).exception("id not read", position=record.position)
            return None

    def _add(self, batch: Sequence[Record], ids: Sequence[str | None]) -> list[int]:
        """Add ids partition by partition, and return the positions of those that repeat others."""
        found: list[int] = []
        by_partition: defaultdict[tuple[str, int], tuple[list[int], list[int], list[str]]]
        by_partition = defaultdict(lambda: ([], [], []))
        for position, (record, request_id) in enumerate(zip(batch, ids, strict=True)):
            if request_id is not None:
                positions, offsets, names = by_partition[record[:2]]
                positions.append(position)
                offsets.append(record[2])
                names.append(request_id)
        for partition, (positions, offsets, names) in by_partition.items():
            _, window = self._windows[TopicPartition(*partition)]
            found += [positions[index] for index in window.add(offsets, names)]
        return found


def read_id(record: Record, max_bytes: int | None = None) -> str | None:
    """Return the id of a request record, valid or not; None where none can be read."""
    return _read_plain_id(request_record(record, max_bytes), max_bytes)


def read_dedup_id(record: Record, max_bytes: int | None = None) -> str | None:
    """Return the id by which a request record is a duplicate; None where none can be read."""
    event = parse_headers(record.headers).event if record.headers else None
    if event is None:
        return _read_plain_id(record, max_bytes)
    opened = open_event(record, event, max_bytes)
    found = None if opened.error is not None else _read_plain_id(opened.record)
    context = opened.context
    return dedup_id(found or (None if context is None else context.request_id), context)


def dedup_id(request_id: str | None, event: EventContext | None) -> str | None:
    """Return the id by which a request is a duplicate.

    If an event's own id is that of its request, its source counts, too: CloudEvents of two sources
    are two events, even with equal ids.
    """
    if event is None or request_id != event.request_id:
        return request_id
    return event.identity


def _read_plain_id(record: Record, max_bytes: int | None = None) -> str | None:
    try:
        check_size(record.value, max_bytes)
        return decode(IdOnly, split_payload(record)[0]).id
    except ContractViolated as error:
        return error.request_id
    except DecodeError:
        return None
