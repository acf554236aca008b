"""Requests that repeat an earlier one: a client that was not sure and sent the same id again.

A record is a repeat if one of the `size` offsets before it in its partition holds the same id.
That depends on nothing but what stands in the topic, so it comes out the same after a crash, a
rebalance or a rewind; the memory is a mere copy of it, read back from the topic where it is new.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from broker.codec import decode
from broker.contracts import Contract, RequestId
from broker.errors import ContractViolated, DecodeError
from broker.names import Header
from broker.records import Record, TopicPartition, first_offsets

Spans = Mapping[TopicPartition, tuple[int, int]]
"""By partition: the first offset, and the one before which to stop."""

Lookback = Callable[[Spans], Iterable[Record]]
"""Reads records again, each partition in the order of its offsets."""


class Named(Contract):
    """The one thing of a request that tells whether it was sent before."""

    id: RequestId


class Seen(NamedTuple):
    """An id at its offset, and where it was seen last before."""

    offset: int
    id: str
    before: int | None


@dataclass(slots=True)
class Window:
    """The ids of one partition's last offsets. It follows a reader that is rewound."""

    size: int
    last: dict[str, int] = field(default_factory=dict)
    order: deque[Seen] = field(default_factory=deque)

    def repeats(self, offset: int, request_id: str) -> bool:
        """Note an id at its offset; whether it repeats an earlier one."""
        while self.order and self.order[-1].offset >= offset:
            self._undo(self.order.pop())
        before = self.last.get(request_id)
        self.last[request_id] = offset
        self.order.append(Seen(offset, request_id, before))
        # Twice the size is kept, so that a rewind finds what it must compare with.
        while self.order[0].offset < offset - 2 * self.size:
            oldest = self.order.popleft()
            if self.last.get(oldest.id) == oldest.offset:
                del self.last[oldest.id]
        return before is not None and offset - before <= self.size

    def _undo(self, seen: Seen) -> None:
        if seen.before is None:
            self.last.pop(seen.id, None)
        else:
            self.last[seen.id] = seen.before


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

    def prepare(self, batch: Sequence[Record]) -> None:
        """Read back what lies before a batch in partitions that are new here."""
        spans = {}
        for home, first in first_offsets(batch).items():
            tenure = self._tenure(home)
            known = self._windows.get(home)
            if known is None or known[0] != tenure:
                self._windows[home] = (tenure, Window(self._size))
                if first > 0:
                    spans[home] = (max(0, first - self._size), first)
        if spans:
            for record in self._lookback(spans):
                request_id = identify(record, self._largest)
                if request_id is not None:
                    self._windows[record.home][1].repeats(record.offset, request_id)

    def admit(self, record: Record, request_id: str) -> bool:
        """Note a record's id; whether the record is to be answered."""
        _, window = self._windows[record.home]
        repeats = window.repeats(record.offset, request_id)
        if not repeats or record.header(Header.REDRIVE_OF) is not None:
            return True
        self.found += 1
        return False


def identify(record: Record, largest: int | None = None) -> str | None:
    """The id that a request record carries, good or bad, or None where none can be read."""
    try:
        return decode(Named, record.value, largest).id
    except ContractViolated as error:
        return error.request_id
    except DecodeError:
        return None
