"""Views that are computed once for all who ask for them at about the same time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_AGE_S = 2.0
"""Time after which a view is computed again, even if the revision is the same."""
MAX_ENTRIES = 16


class ViewCache(Generic[T]):
    """The newest view for each of a few arguments; safe for several threads.

    While one thread computes a view, others that ask for one wait: many pages that are woken by the
    same update cost one computation.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._views: OrderedDict[Hashable, tuple[int, float, T]] = OrderedDict()

    def get(self, key: Hashable, revision: int, compute: Callable[[], T]) -> T:
        """Return the view for a key at a revision, computed now or shortly before."""
        with self._lock:
            known = self._views.get(key)
            if known is not None and known[0] == revision and monotonic() - known[1] < MAX_AGE_S:
                return known[2]
            view = compute()
            self._views[key] = revision, monotonic(), view
            self._views.move_to_end(key)
            if len(self._views) > MAX_ENTRIES:
                self._views.popitem(last=False)
            return view
