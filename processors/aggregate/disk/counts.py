"""What an aggregator counts, on disk: a copy of the topic, and what is not yet read back of it.

The topic of features is the truth. The copy has what was committed to it, by this process and
others; in memory are the values that were changed since, by owner, until the copy has them: that is
when the owner's progress, the last record of a transaction, has arrived there.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

from modstream.broker.wire.records import Record
from modstream.processors.aggregate.counts import Added
from modstream.processors.aggregate.disk.rows import ByOwner
from modstream.processors.aggregate.disk.table import FeatureTable
from modstream.processors.aggregate.updates import (
    BACKFILL,
    PartialUpdate,
    Progress,
    UnknownUpdate,
    Update,
    UpdateCodec,
)
from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.codec import decode_partial, encode_key
from modstream.processors.features.events import PartialKey
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.layout import Layout
from modstream.processors.features.partials import KINDS, Partial
from modstream.processors.features.state import StateSize

MAX_CHANGED = 100_000
"""The number of values in memory from which the topic's next records are awaited."""
MAX_WAITS = 20
"""How often they are awaited before a batch; after an aborted transaction they do not come."""
SCAN = 1000
"""How many rows are looked for at once."""


class TopicTail(Protocol):
    """Reads the records of the topic of features behind those of a copy, and applies them."""

    def advance(self, *, wait: bool) -> None:
        """Apply what has arrived; with `wait`, and nothing there, wait a moment for the next."""

    def catch_up(self) -> None:
        """Apply all that is committed now, and what becomes of transactions that are open now."""


class _Changed(NamedTuple):
    """A value, and the owner's next offset of the batch that has changed it."""

    partial: Partial
    next_offset: int


@dataclass(slots=True)
class _Uncommitted:
    """The changed values of an owner, and the keys of each batch by its next offset."""

    values: dict[PartialKey, _Changed] = field(default_factory=dict)
    batches: deque[tuple[int, list[PartialKey]]] = field(default_factory=deque)

    def confirm(self, next_offset: int) -> None:
        """Forget what the copy has, as its progress says."""
        while self.batches and self.batches[0][0] <= next_offset:
            for key in self.batches.popleft()[1]:
                found = self.values.get(key)
                if found is not None and found.next_offset <= next_offset:
                    del self.values[key]


class CountsOnDisk:
    """Counts in a copy of the topic, whose rows are ordered by owner."""

    def __init__(
        self, features: FeatureSet, codec: UpdateCodec, table: FeatureTable, tail: TopicTail
    ) -> None:
        self.progress = Progress()
        self._codec, self._table, self._tail = codec, table, tail
        self._order = ByOwner()
        self._kinds = {name: one.kind for name, one in features.aggregations.items()}
        self._slice_ms = {name: one.slice_ms for name, one in features.aggregations.items()}
        self._longest = _longest_windows(Layout(features))
        self._first: dict[str, int] = {}
        self._changed: dict[str, _Uncommitted] = {}
        self._scan: Iterator[PartialUpdate] | None = None
        self._is_due = False

    @property
    def size(self) -> StateSize:
        """An estimate of the number of partial aggregates, and the bytes of the files."""
        return StateSize(self.entries, self._table.database.size())

    @property
    def entries(self) -> int:
        """An estimate of the number of partial aggregates."""
        return self._table.database.count()

    def recover(self, owners: Collection[str]) -> Iterable[UnknownUpdate]:
        """Read the topic to its present end, and forget what was not committed."""
        self._tail.catch_up()
        self.forget(owners)
        self._is_due = True
        unknown: list[UnknownUpdate] = []
        for update in self._offset_updates():
            if update.owner not in owners:
                continue
            if isinstance(update, UnknownUpdate):
                unknown.append(update)
            elif not isinstance(update, PartialUpdate):
                self.progress.note(update)
        return self._with_partials(unknown, sorted(owners))

    def forget(self, owners: Iterable[str]) -> None:
        """Forget owners; the copy still has what they have counted."""
        for owner in owners:
            self._changed.pop(owner, None)
            self.progress.forget(owner)

    def merge(self, added: Sequence[Added]) -> list[PartialUpdate]:
        """Merge what events add, and return the values that have changed."""
        self._advance()
        values = self._read([(owner, one[0]) for owner, one in added if self._is_kept(one[0])])
        changed: dict[tuple[str, PartialKey], Partial] = {}
        for owner, (key, partial) in added:
            name = owner, key
            if name in values:
                old = changed.get(name, values[name])
                kind = KINDS[self._kinds[key.aggregation]]
                changed[name] = partial if old is None else kind.merge(old, partial)
        keys: dict[str, list[PartialKey]] = {}
        for (owner, key), partial in changed.items():
            uncommitted = self._changed.setdefault(owner, _Uncommitted())
            uncommitted.values[key] = _Changed(partial, self.progress.next_offsets[owner])
            keys.setdefault(owner, []).append(key)
        for owner, found in keys.items():
            self._changed[owner].batches.append((self.progress.next_offsets[owner], found))
        return [PartialUpdate(owner, key, partial) for (owner, key), partial in changed.items()]

    def expire(self, before: int) -> None:
        """Remove what no request at or after a time can read.

        What has expired is looked for in the copy, again and again: a batch that removes it may not
        be committed.
        """
        for name, width in self._slice_ms.items():
            first = before // width - self._longest[name] + 1
            self._first[name] = max(first, self._first.get(name, first))
        self._is_due = True

    def expired(self, limit: int) -> list[PartialUpdate]:
        """Return some updates that remove what has expired."""
        if self._scan is None:
            if not self._is_due:
                return []
            self._scan, self._is_due = self._rows_to_remove(), False
        found = list(islice(self._scan, limit))
        if len(found) < limit:
            self._scan = None
        return found

    def _is_kept(self, key: PartialKey) -> bool:
        first = self._first.get(key.aggregation)
        return key.aggregation in self._kinds and (first is None or key.slice >= first)

    def _advance(self) -> None:
        """Take what has arrived in the topic; if too much is missing, wait for it a while."""
        self._tail.advance(wait=False)
        for _ in range(MAX_WAITS):
            if self._confirm() <= MAX_CHANGED:
                break
            self._tail.advance(wait=True)

    def _confirm(self) -> int:
        """Forget the values that the copy has, and return how many remain."""
        for owner, uncommitted in self._changed.items():
            uncommitted.confirm(self._table.next_offset(owner))
        return sum(len(one.values) for one in self._changed.values())

    def _offset_updates(self) -> Iterator[Update | UnknownUpdate]:
        for key, value in self._table.offsets():
            with suppress(UnreadableFeatureState):
                update = self._codec.decode(Record("", 0, 0, key, value))
                if update is not None:
                    yield update

    def _read(
        self, names: Iterable[tuple[str, PartialKey]]
    ) -> dict[tuple[str, PartialKey], Partial | None]:
        """Return the present values of owners; None for one that has none."""
        found: dict[tuple[str, PartialKey], Partial | None] = {}
        missing: list[tuple[str, PartialKey]] = []
        for name in dict.fromkeys(names):
            owner, key = name
            uncommitted = self._changed.get(owner)
            changed = None if uncommitted is None else uncommitted.values.get(key)
            if changed is None:
                missing.append(name)
            else:
                found[name] = changed.partial
        rows = [self._order.row(owner, key) for owner, key in missing]
        for name, value in zip(missing, self._table.database.get_many(rows), strict=True):
            kind = self._kinds[name[1].aggregation]
            found[name] = None if value is None else decode_partial(kind, value)
        return found

    def _with_partials(
        self, unknown: Iterable[UnknownUpdate], owners: Iterable[str]
    ) -> Iterator[UnknownUpdate]:
        """Yield also the partial aggregates of aggregations that are not defined any more."""
        yield from unknown
        for owner in owners:
            start = self._order.prefix(owner)
            end = start[:-1] + b"\1"
            while found := self._table.database.between(start, end, 1):
                aggregation = self._order.aggregation(owner, found[0])
                bounds = self._order.bounds(owner, aggregation)
                if aggregation not in self._kinds:
                    for key in self._keys_between(owner, *bounds):
                        yield UnknownUpdate(owner, encode_key(owner, key), is_removed=False)
                start = bounds[1]

    def _rows_to_remove(self) -> Iterator[PartialUpdate]:
        for owner in sorted(self.progress.next_offsets):
            for one in (owner, BACKFILL + owner):
                for aggregation, first in self._first.items():
                    bounds = self._order.bounds(one, aggregation, first)
                    for key in self._keys_between(one, *bounds):
                        yield PartialUpdate(one, key, None)

    def _keys_between(self, owner: str, start: bytes, end: bytes) -> Iterator[PartialKey]:
        while found := self._table.database.between(start, end, SCAN):
            for row in found:
                yield self._order.parse(owner, row)
            start = found[-1] + b"\0"


def _longest_windows(layout: Layout) -> dict[str, int]:
    return {name: layout.longest(*place) for name, place in layout.positions.items()}
