"""The partial aggregates that an aggregator counts: the port of its stores, and that in memory."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Protocol

from modstream.processors.aggregate.updates import (
    PartialUpdate,
    Progress,
    UnknownUpdate,
    Update,
)
from modstream.processors.features.events import PartialKey
from modstream.processors.features.feature_set import Contribution, FeatureSet
from modstream.processors.features.state import FeatureState, StateSize

Recover = Callable[[Iterable[str]], Iterable[Update | UnknownUpdate]]
"""Returns all committed updates of some owners, in their order."""
Added = tuple[str, Contribution]
"""What an event adds to a value of an owner."""


class Counts(Protocol):
    """The partial aggregates of owners, and how far each of these has counted.

    What `merge` returns is committed with the `next_offsets` of its owners, or the owners are
    recovered before they count again.
    """

    progress: Progress

    @property
    def size(self) -> StateSize:
        """The size of all owners' values."""

    @property
    def entries(self) -> int:
        """The number of partial aggregates, as far as it is known without a scan."""

    def recover(self, owners: Collection[str]) -> Iterable[UnknownUpdate]:
        """Let owners be as they were committed.

        Returns:
            What they have of aggregations that are not defined any more.
        """

    def forget(self, owners: Iterable[str]) -> None:
        """Forget owners that are counted elsewhere from now on."""

    def merge(self, added: Sequence[Added]) -> list[PartialUpdate]:
        """Merge what events add, and return the values that have changed, each once."""

    def expire(self, before: int) -> None:
        """Remove what no request at or after a time (ms) can read.

        Later contributions to slices as old as these are ignored.
        """

    def expired(self, limit: int) -> list[PartialUpdate]:
        """Return some updates that remove what has expired, those of one batch."""


class CountsInMemory:
    """Counts in memory, recovered from the topic of features."""

    def __init__(self, features: FeatureSet, recover: Recover) -> None:
        self.progress = Progress()
        self._state = FeatureState(features)
        self._recover = recover
        self._expired: deque[PartialUpdate] = deque()

    @property
    def size(self) -> StateSize:
        """The size of all owners' values."""
        return self._state.size

    @property
    def entries(self) -> int:
        """The number of partial aggregates."""
        return self._state.size.entries

    def recover(self, owners: Collection[str]) -> list[UnknownUpdate]:
        """Read owners again; what they have of undefined aggregations is returned."""
        self.forget(owners)
        unknown: dict[bytes, UnknownUpdate] = {}
        expired: dict[tuple[str, PartialKey], None] = {}
        for update in self._recover(owners):
            if isinstance(update, PartialUpdate):
                if not self._state.replace(update.owner, update.key, update.partial):
                    expired[update.owner, update.key] = None
                if update.partial is None:
                    expired.pop((update.owner, update.key), None)
            elif isinstance(update, UnknownUpdate):
                unknown[update.key] = update
            else:
                self.progress.note(update)
        # The batch that removed these was not committed.
        self._expired.extend(PartialUpdate(owner, key, None) for owner, key in expired)
        return [one for one in unknown.values() if not one.is_removed]

    def forget(self, owners: Iterable[str]) -> None:
        """Forget owners."""
        for owner in owners:
            self._state.drop_owner(owner)
            self.progress.forget(owner)

    def merge(self, added: Sequence[Added]) -> list[PartialUpdate]:
        """Merge what events add, and return the values that have changed."""
        changed: dict[tuple[str, PartialKey], None] = {}
        merge = self._state.merge
        for owner, (key, partial) in added:
            if merge(owner, key, partial):
                changed[owner, key] = None
        get = self._state.get
        return [PartialUpdate(owner, key, get(owner, key)) for owner, key in changed]

    def expire(self, before: int) -> None:
        """Remove what no request at or after a time can read."""
        removed = self._state.expire(before)
        self._expired.extend(PartialUpdate(owner, key, None) for owner, key in removed)

    def expired(self, limit: int) -> list[PartialUpdate]:
        """Return some updates that remove what has expired."""
        found = list(islice(self._expired, limit))
        for _ in found:
            self._expired.popleft()
        return found
