"""The loaded versions in memory: lookup by reference, and least-recently-used eviction."""

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from threading import Lock

from modstream.models.runtimes.runtime import AnyRuntime
from modstream.models.schema.card import ModelCard

ModelRef = tuple[str, int | str]
"""A model's name with a version or alias."""
ModelVersion = tuple[str, int]
"""A model's name with a version."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version that is ready to predict."""

    card: ModelCard
    runtime: AnyRuntime

    @property
    def is_exhausted(self) -> bool:
        """Whether predictions had to be stopped again and again; few runtimes can be stopped."""
        return getattr(self.runtime, "is_exhausted", False)

    @property
    def key(self) -> ModelVersion:
        """Name and version."""
        return self.card.name, self.card.version


class LoadedModels:
    """The loaded versions, bounded by the total size of their artifacts.

    All references to one version share its runtime, and a version without a reference is dropped.
    Above the limit, the least recently used versions are evicted, except those of pinned models
    and the one put last: so these may exceed the limit. The lock is never held during a load, so
    readers do not wait for loads.
    """

    def __init__(self, max_bytes: int, pinned: AbstractSet[str]) -> None:
        self._max_bytes = max_bytes
        self._pinned = pinned
        self._loaded: OrderedDict[ModelVersion, LoadedModel] = OrderedDict()
        self._refs: dict[ModelRef, ModelVersion] = {}
        self._lock = Lock()

    def get(self, ref: ModelRef) -> LoadedModel | None:
        """Return the version that a reference points at, marked as used now; None if not loaded."""
        with self._lock:
            key = self._refs.get(ref)
            if key is None:
                return None
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def has_room(self, size: int) -> bool:
        """Return whether a version of this size can be put without evicting another."""
        with self._lock:
            return sum(one.card.size for one in self._loaded.values()) + size <= self._max_bytes

    def entries(self) -> dict[ModelRef, LoadedModel]:
        """Return every reference with its version, without marking any as used."""
        with self._lock:
            return {ref: self._loaded[key] for ref, key in self._refs.items()}

    def find(self, card: ModelCard) -> LoadedModel | None:
        """Return the loaded version with exactly this card, whatever refers to it."""
        with self._lock:
            loaded = self._loaded.get((card.name, card.version))
        return loaded if loaded is not None and loaded.card == card else None

    def put(self, ref: ModelRef, loaded: LoadedModel) -> None:
        """Point a reference at a version, and evict versions above the limit."""
        with self._lock:
            self._put(ref, loaded)

    def replace(self, ref: ModelRef, loaded: LoadedModel) -> bool:
        """Do the same as `put` unless the reference was evicted; return whether it was not."""
        with self._lock:
            is_known = ref in self._refs
            if is_known:
                self._put(ref, loaded)
            return is_known

    def discard(self, loaded: LoadedModel) -> None:
        """Drop a version and every reference to it."""
        with self._lock:
            if self._loaded.get(loaded.key) is loaded:
                del self._loaded[loaded.key]
                self._refs = {ref: key for ref, key in self._refs.items() if key != loaded.key}

    def _put(self, ref: ModelRef, loaded: LoadedModel) -> None:
        self._loaded[loaded.key] = loaded
        self._loaded.move_to_end(loaded.key)
        self._refs[ref] = loaded.key
        for key in self._loaded.keys() - set(self._refs.values()):
            del self._loaded[key]
        self._evict(loaded.key)

    def _evict(self, newest: ModelVersion) -> None:
        excess = sum(each.card.size for each in self._loaded.values()) - self._max_bytes
        for key in list(self._loaded):
            if excess <= 0:
                break
            if key != newest and key[0] not in self._pinned:
                excess -= self._loaded.pop(key).card.size
                self._refs = {ref: target for ref, target in self._refs.items() if target != key}
