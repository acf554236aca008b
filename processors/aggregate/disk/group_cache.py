"""The state of features in a worker that keeps them on disk: the groups used last, in memory."""

from collections.abc import Sequence

from modstream.processors.aggregate.disk.rows import ByGroup
from modstream.processors.features.codec import decode_partial
from modstream.processors.features.events import PartialKey
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.groups import Group
from modstream.processors.features.partials import Partial
from modstream.processors.features.state import FeatureState, StateSize
from modstream.processors.storage.database import DatabaseView

CACHE_BYTES = 64 * 1024 * 1024
"""The estimated memory of groups from which those not used for longest are dropped."""
UNUSED_BYTES = 200
"""An estimate of the memory of a group that is known to have no events, or is noted as read."""

GroupName = tuple[int, tuple[str | None, ...]]
"""The number of a grouping, and the values of a group."""


class GroupCache:
    """Reads groups from a view of a copy on disk, and keeps those that were used last.

    A group in memory has all its partial aggregates, so that updates change it as they change a
    `FeatureState`; updates of other groups are in the next view. Within a batch no group is
    dropped: `trim` is called between two.
    """

    def __init__(self, features: FeatureSet, cache_bytes: int = CACHE_BYTES) -> None:
        self.features = features
        self._state = FeatureState(features)
        self.layout = self._state.layout
        self._limit = cache_bytes
        self._order = ByGroup()
        self._view: DatabaseView | None = None
        self._read: dict[GroupName, None] = {}
        self._kinds = {name: one.kind for name, one in features.aggregations.items()}

    @property
    def size(self) -> StateSize:
        """The size of what is in memory."""
        size = self._state.size
        return StateSize(size.entries, size.estimated_bytes + UNUSED_BYTES * len(self._read))

    def move_to(self, view: DatabaseView, *, keep: bool) -> None:
        """Read further groups from another view.

        Args:
            view: the rows behind all updates that come next.
            keep: whether `replace` is called for all updates since the last view; else all groups
                are dropped, and read again when they are used.
        """
        self._view = view
        if not keep:
            self._drop_until(0)

    def replace(self, owner: str, key: PartialKey, partial: Partial | None) -> bool:
        """Set an owner's value, or remove it with None, if the group is in memory."""
        place = self.layout.positions.get(key.aggregation)
        if place is None or (place[0], key.group) not in self._read:
            return False
        return self._state.replace(owner, key, partial)

    def groups(self, grouping: int, keys: Sequence[tuple[str | None, ...]]) -> list[Group | None]:
        """Return the merged values of groups; None for one to which no event belongs."""
        read = self._read
        for key in keys:
            name = grouping, key
            if name in read:
                del read[name]  # It becomes the one that was used last.
            elif None not in key:
                self._load(grouping, key)
            read[name] = None
        return self._state.groups(grouping, keys)

    def release(self) -> None:
        """Let the last view go, which keeps the files open."""
        self._view = None

    def trim(self) -> None:
        """Drop the groups that were not used for longest, if they need too much memory."""
        self._drop_until(self._limit)

    def _drop_until(self, limit: int) -> None:
        while self._read and self.size.estimated_bytes > limit:
            grouping, values = next(iter(self._read))
            del self._read[grouping, values]
            self._state.drop_group(grouping, values)

    def _load(self, grouping: int, group: tuple[str | None, ...]) -> None:
        if self._view is None:
            return
        names = self.layout.groupings[grouping].aggregations
        for row, value in self._view.items(self._order.prefix(group)):
            one = self._order.parse(row)
            if one.aggregation in names:
                partial = decode_partial(self._kinds[one.aggregation], value)
                key = PartialKey(one.aggregation, group, one.slice)  # type: ignore[arg-type]
                self._state.replace(one.owner, key, partial)
