"""Requests that repeat an earlier one: a client that was not sure and sent the same id again.

A record is a repeat if one of the `size` offsets before it in its partition holds the same id.
That depends on nothing but what stands in the topic, so it comes out the same after a crash, a
rebalance or a rewind; the memory is a mere copy of it, read back from the topic where it is new.
"""

from bisect import bisect_left
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.wire.codec import bounded, decode
from modstream.broker.wire.contracts import Contract, RequestId
from modstream.broker.wire.records import Offsets, Record, TopicPartition
from modstream.broker.wire.tensor_binary import split
from modstream.broker.wire.topics import Header

Spans = Mapping[TopicPartition, tuple[int, int]]
"""By partition: the first offset, and the one before which to stop."""

Lookback = Callable[[Spans], Iterable[Record]]
"""Reads records again, each partition in the order of its offsets."""


class Named(Contract):
    """The one thing of a request that tells whether it was sent before."""

    id: RequestId


@dataclass(slots=True)
class Stretch:
    """Ids in the order of their offsets, and the last offset of each."""

    ids: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, offsets: Sequence[int], ids: Sequence[str]) -> None:
        """Note ids at offsets that lie behind all others."""
        self.ids += ids
        self.offsets += offsets
        self.last.update(zip(ids, offsets, strict=True))

    def cut(self, offset: int) -> None:
        """Forget what lies at an offset and behind it."""
        kept = bisect_left(self.offsets, offset)
        if kept < len(self.offsets):
            del self.ids[kept:], self.offsets[kept:]
            self.last = dict(zip(self.ids, self.offsets, strict=True))


@dataclass(slots=True)
class Window:
    """The ids of one partition's last offsets. It follows a reader that is rewound.

    They lie in two stretches, of which the older is dropped whole, so that forgetting costs
    nothing. At least twice the size is kept: a rewind must find what it compares with.
    """

    size: int
    older: Stretch = field(default_factory=Stretch)
    newer: Stretch = field(default_factory=Stretch)

    def repeats(self, offset: int, request_id: str) -> bool:
        """Note an id at its offset; whether it repeats an earlier one."""
        return bool(self.note([offset], [request_id]))

    def note(self, offsets: Sequence[int], ids: Sequence[str]) -> list[int]:
        """Note ids at their ascending offsets; the positions of those that repeat an earlier one.

        That most batches hold no repeat is asked of whole sets, at a fifth of the single look's
        time.
        """
        self.older.cut(offsets[0])
        self.newer.cut(offsets[0])
        if self.newer.offsets and offsets[0] - self.newer.offsets[0] > 2 * self.size:
            self.older, self.newer = self.newer, Stretch()
        found = [] if self._are_new(ids) else self._compared(offsets, ids)
        self.newer.add(offsets, ids)
        return found

    def _are_new(self, ids: Sequence[str]) -> bool:
        return (
            len(set(ids)) == len(ids)
            and self.newer.last.keys().isdisjoint(ids)
            and self.older.last.keys().isdisjoint(ids)
        )

    def _compared(self, offsets: Sequence[int], ids: Sequence[str]) -> list[int]:
        found: list[int] = []
        last: ChainMap[str, int] = ChainMap({}, self.newer.last, self.older.last)
        for position, (offset, request_id) in enumerate(zip(offsets, ids, strict=True)):
            before = last.get(request_id)
            last[request_id] = offset
            if before is not None and offset - before <= self.size:
                found.append(position)
        return found


class Repeats:
    """The windows of the partitions that a worker holds.

    `tenure` counts how often a partition was assigned to this worker: while another had it, the
    window missed records, and is read again. `largest` is the most bytes of a request that is read.
    """

    def __init__(
        self,
        size: int,
        lookback: Lookback,
        tenure: Callable[[TopicPartition], int],
        largest: int | None = None,
    ) -> None:
        self.found = 0
        self._size = size
        self._lookback = lookback
        self._tenure = tenure
        self._largest = largest
        self._windows: dict[TopicPartition, tuple[int, Window]] = {}

    def prepare(self, firsts: Offsets) -> None:
        """Read back what lies before a batch in partitions that are new here."""
        spans = {}
        for home, first in firsts.items():
            tenure = self._tenure(home)
            known = self._windows.get(home)
            if known is None or known[0] != tenure:
                self._windows[home] = (tenure, Window(self._size))
                if first > 0:
                    spans[home] = (max(0, first - self._size), first)
        if spans:
            records = list(self._lookback(spans))
            self._note(records, [identify(record, self._largest) for record in records])

    def admit(self, batch: Sequence[Record], ids: Sequence[str | None]) -> set[int]:
        """Note a batch's ids, None where none is legible; the places of what is not to be answered.

        A record without an id is no repeat, nor is one that was sent again from the dead letters.
        """
        repeats = {
            place
            for place in self._note(batch, ids)
            if batch[place].header(Header.REDRIVE_OF) is None
        }
        self.found += len(repeats)
        return repeats

    def _note(self, batch: Sequence[Record], ids: Sequence[str | None]) -> list[int]:
        """Note ids partition by partition; the places of those that repeat an earlier one."""
        found: list[int] = []
        by_home: defaultdict[tuple[str, int], tuple[list[int], list[int], list[str]]]
        by_home = defaultdict(lambda: ([], [], []))
        for place, (record, name) in enumerate(zip(batch, ids, strict=True)):
            if name is not None:
                places, offsets, names = by_home[record[:2]]
                places.append(place)
                offsets.append(record[2])
                names.append(name)
        for home, (places, offsets, names) in by_home.items():
            _, window = self._windows[TopicPartition(*home)]
            found += [places[position] for position in window.note(offsets, names)]
        return found


def identify(record: Record, largest: int | None = None) -> str | None:
    """The id that a request record carries, good or bad, or None where none can be read."""
    try:
        bounded(record.value, largest)
        return decode(Named, split(record)[0]).id
    except ContractViolated as error:
        return error.request_id
    except DecodeError:
        return None
