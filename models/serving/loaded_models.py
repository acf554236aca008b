"""The loaded versions in memory, who refers to them, and which one has to go."""

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from threading import Lock

from modstream.models.runtimes.runtime import Runtime
from modstream.models.schema.card import ModelCard

Pair = tuple[str, int | str]
"""A model's name with the version or alias asked for."""
Version = tuple[str, int]
"""A model's name with a version."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version that is ready to answer."""

    card: ModelCard
    runtime: Runtime

    @property
    def key(self) -> Version:
        """Name and version."""
        return self.card.name, self.card.version


class Residents:
    """Loaded versions, bounded by the bytes of their artifacts; least recently used goes first.

    A version stays while a pair refers to it, and all pairs that mean one version share its
    runtime. Pinned models and the version put last are never evicted, so the bound holds for
    the others only. The lock covers dictionary work, never a load: readers do not wait.
    """

    def __init__(self, max_bytes: int, pinned: AbstractSet[str]) -> None:
        self._max_bytes = max_bytes
        self._pinned = pinned
        self._loaded: OrderedDict[Version, Loaded] = OrderedDict()
        self._refs: dict[Pair, Version] = {}
        self._lock = Lock()

    def get(self, pair: Pair) -> Loaded | None:
        """Find what a pair refers to, and mark it as used just now."""
        with self._lock:
            key = self._refs.get(pair)
            if key is None:
                return None
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def pairs(self) -> dict[Pair, Loaded]:
        """Every pair with what it refers to; marks nothing as used."""
        with self._lock:
            return {pair: self._loaded[key] for pair, key in self._refs.items()}

    def find(self, card: ModelCard) -> Loaded | None:
        """Find the version with exactly this card, whoever refers to it."""
        with self._lock:
            loaded = self._loaded.get((card.name, card.version))
        return loaded if loaded is not None and loaded.card == card else None

    def put(self, pair: Pair, loaded: Loaded) -> None:
        """Let a pair refer to a version, and evict what no longer fits."""
        with self._lock:
            self._put(pair, loaded)

    def replace(self, pair: Pair, loaded: Loaded) -> bool:
        """Do the same if the pair is still held; tell whether it was."""
        with self._lock:
            held = pair in self._refs
            if held:
                self._put(pair, loaded)
            return held

    def _put(self, pair: Pair, loaded: Loaded) -> None:
        self._loaded[loaded.key] = loaded
        self._loaded.move_to_end(loaded.key)
        self._refs[pair] = loaded.key
        for key in self._loaded.keys() - set(self._refs.values()):
            del self._loaded[key]
        self._evict(loaded.key)

    def _evict(self, newest: Version) -> None:
        excess = sum(each.card.size for each in self._loaded.values()) - self._max_bytes
        for key in list(self._loaded):
            if excess <= 0:
                break
            if key != newest and key[0] not in self._pinned:
                excess -= self._loaded.pop(key).card.size
                self._refs = {pair: at for pair, at in self._refs.items() if at != key}
