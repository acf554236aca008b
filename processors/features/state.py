"""The state of a stream's features: partial aggregates by owner, and merged over the owners."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modstream.processors.features.events import PartialKey
from modstream.processors.features.feature_set import Contribution, FeatureSet
from modstream.processors.features.groups import Group
from modstream.processors.features.layout import Layout
from modstream.processors.features.partials import KINDS, Partial, PartialKind

ENTRY_BYTES = 120
"""An estimate of the memory of a partial aggregate, without what differs by kind."""
GROUP_BYTES = 520
"""An estimate of the memory of a group, besides its partial aggregates."""

Slices = dict[int, dict[tuple[str, ...], Partial]]
"""The partial aggregates of an aggregation, by slice and group."""
Groups = dict[tuple[str | None, ...], Group]


class StateSize(NamedTuple):
    """The number of partial aggregates, and an estimate of their bytes in memory."""

    entries: int
    estimated_bytes: int


class ReadableState(Protocol):
    """What is read of a state, in memory or on disk."""

    features: FeatureSet
    layout: Layout

    def groups(self, grouping: int, keys: Sequence[tuple[str | None, ...]]) -> list[Group | None]:
        """Return the merged values of groups; None for one to which no event belongs."""


@dataclass(slots=True)
class _Stored:
    """How an aggregation is stored. `first` is the first slice that is kept."""

    kind: PartialKind
    slice_ms: int
    grouping: int
    number: int
    first: float = -math.inf


class FeatureState:
    """Partial aggregates, each of which belongs to an owner, such as a partition of a topic.

    An owner's values are changed by itself alone, so that they can be recovered, moved and
    replaced one by one; what is read is merged over all owners. Keys of aggregations that the
    features do not have are ignored, and so are slices that have expired.

    No method may be called while another one runs, also not the ones of readers.
    """

    def __init__(self, features: FeatureSet) -> None:
        self.features = features
        self.layout = Layout(features)
        self._groups: list[dict[tuple[str | None, ...], Group]] = [
            {} for _ in self.layout.groupings
        ]
        self._owned: dict[str, dict[str, Slices]] = {}
        self._entries = 0
        self._payload = 0
        self._stored = {
            name: _Stored(KINDS[one.kind], one.slice_ms, *self.layout.positions[name])
            for name, one in features.aggregations.items()
        }

    @property
    def owners(self) -> frozenset[str]:
        """The owners that have partial aggregates."""
        return frozenset(self._owned)

    @property
    def size(self) -> StateSize:
        """The size of all owners' values."""
        groups = sum(map(len, self._groups))
        known = self._entries * ENTRY_BYTES + groups * GROUP_BYTES
        return StateSize(self._entries, known + self._payload)

    def add(self, owner: str, contributions: Iterable[Contribution]) -> set[PartialKey]:
        """Merge what events add into an owner's values; return the keys that have changed."""
        changed = set()
        for key, partial in contributions:
            if self.merge(owner, key, partial):
                changed.add(key)
        return changed

    def merge(self, owner: str, key: PartialKey, partial: Partial) -> bool:
        """Merge a partial aggregate into an owner's value; return whether it was accepted."""
        aggregation, values, number = key
        stored = self._stored.get(aggregation)
        if stored is None or number < stored.first:
            return False
        kind = stored.kind
        slices = self._slices(owner, aggregation)
        by_group = slices.get(number)
        if by_group is None:
            by_group = slices[number] = {}
        old = by_group.get(values)
        new = by_group[values] = partial if old is None else kind.merge(old, partial)
        if old is None or not kind.has_fixed_size:
            self._account(kind, old, new)
        group = self._group(stored, values)
        merged = group.slices[stored.number].get(number)
        whole = new if merged is old else partial if merged is None else kind.merge(merged, partial)
        group.change(stored.number, number, whole, partial)
        return True

    def replace(self, owner: str, key: PartialKey, partial: Partial | None) -> bool:
        """Set an owner's value, or remove it with None; return whether it was accepted."""
        stored = self._accepted(key)
        if stored is None:
            return False
        slices = self._slices(owner, key.aggregation)
        values = slices.setdefault(key.slice, {})
        old = values.pop(key.group, None)
        if partial is not None:
            values[key.group] = partial
        elif not values:
            del slices[key.slice]
        self._account(stored.kind, old, partial)
        if partial is not None and stored.kind.is_invertible:
            self._difference(stored, key, old, partial)
        else:
            self._merge_owners(stored, key)
        return True

    def get(self, owner: str, key: PartialKey) -> Partial | None:
        """Return an owner's value; None if it has none."""
        slices = self._owned.get(owner, {}).get(key.aggregation, {})
        return slices.get(key.slice, {}).get(key.group)

    def items(self, owner: str) -> Iterator[tuple[PartialKey, Partial]]:
        """Yield all values of an owner."""
        for aggregation, slices in self._owned.get(owner, {}).items():
            for number, values in slices.items():
                for group, partial in values.items():
                    yield PartialKey(aggregation, group, number), partial

    def drop_owner(self, owner: str) -> None:
        """Remove all values of an owner."""
        for key, _ in list(self.items(owner)):
            self.replace(owner, key, None)
        self._owned.pop(owner, None)

    def expire(self, before: int) -> list[tuple[str, PartialKey]]:
        """Remove what no request at or after a time (ms) can read; return owners and keys.

        Later contributions to slices as old as these are ignored.
        """
        for one in self._stored.values():
            longest = self.layout.longest(one.grouping, one.number)
            one.first = max(one.first, before // one.slice_ms - longest + 1)
        removed = []
        for owner, aggregations in self._owned.items():
            for name, slices in aggregations.items():
                stored = self._stored[name]
                for number in [one for one in slices if one < stored.first]:
                    for group, partial in slices.pop(number).items():
                        self._account(stored.kind, partial, None)
                        self._forget(stored, group, number)
                        removed.append((owner, PartialKey(name, group, number)))
        return removed

    def group(self, grouping: int, values: tuple[str | None, ...]) -> Group | None:
        """Return the merged values of a group; None if no event belongs to it.

        No event belongs to a group with a missing value, None.
        """
        return self._groups[grouping].get(values)

    def groups(self, grouping: int, keys: Sequence[tuple[str | None, ...]]) -> list[Group | None]:
        """Return the merged values of groups; None for one to which no event belongs."""
        return list(map(self._groups[grouping].get, keys))

    def drop_group(self, grouping: int, values: tuple[str | None, ...]) -> None:
        """Remove all values of a group, those of all owners."""
        group = self._groups[grouping].pop(values, None)
        if group is None:
            return
        for index, name in enumerate(self.layout.groupings[grouping].aggregations):
            for owner in self._owned:
                for number in group.slices[index]:
                    self._drop(owner, name, number, values)

    def _drop(
        self, owner: str, aggregation: str, number: int, values: tuple[str | None, ...]
    ) -> None:
        """Remove an owner's value, but not what is merged of it."""
        slices = self._owned[owner][aggregation]
        by_group = slices.get(number, {})
        found = by_group.pop(values, None)  # type: ignore[arg-type]
        if found is not None:
            self._account(self._stored[aggregation].kind, found, None)
            if not by_group:
                del slices[number]

    def _accepted(self, key: PartialKey) -> _Stored | None:
        stored = self._stored.get(key.aggregation)
        return None if stored is None or key.slice < stored.first else stored

    def _slices(self, owner: str, aggregation: str) -> Slices:
        owned = self._owned.get(owner)
        if owned is None:
            owned = self._owned[owner] = {name: {} for name in self._stored}
        return owned[aggregation]

    def _group(self, stored: _Stored, values: tuple[str, ...]) -> Group:
        groups = self._groups[stored.grouping]
        group = groups.get(values)
        if group is None:
            group = groups[values] = Group(self.layout.groupings[stored.grouping])
        return group

    def _difference(self, stored: _Stored, key: PartialKey, old: Partial, new: Partial) -> None:
        """Change a merged value by what one owner's value changes, whatever the others have."""
        group, kind = self._group(stored, key.group), stored.kind
        before = group.slices[stored.number].get(key.slice)
        difference = new if old is None else kind.subtract(new, old)
        whole = new if before is old else kind.merge(before, difference)
        group.change(stored.number, key.slice, whole, difference)

    def _merge_owners(self, stored: _Stored, key: PartialKey) -> None:
        """Merge the values of all owners anew."""
        found = (self.get(owner, key) for owner in self._owned)
        values = [one for one in found if one is not None]
        if not values:
            self._forget(stored, key.group, key.slice)
            return
        whole = values[0] if len(values) == 1 else stored.kind.merge_all(values)
        group, difference = self._group(stored, key.group), None
        if stored.kind.is_invertible:
            before = group.slices[stored.number].get(key.slice, stored.kind.empty)
            difference = stored.kind.subtract(whole, before)
        group.change(stored.number, key.slice, whole, difference)

    def _forget(self, stored: _Stored, values: tuple[str, ...], number: int) -> None:
        group = self._groups[stored.grouping].get(values)
        if group is not None and group.remove(stored.number, number):
            del self._groups[stored.grouping][values]

    def _account(self, kind: PartialKind, old: Partial | None, new: Partial | None) -> None:
        if old is None:
            self._entries += new is not None
        else:
            self._entries -= new is None
            self._payload -= kind.size(old)
        if new is not None:
            self._payload += kind.size(new)
