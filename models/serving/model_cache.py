"""The shelf: the models a worker holds, kept up to date behind its back."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from types import TracebackType
from typing import Self

import structlog

from modstream.models.errors import (
    ArtifactError,
    ModelError,
    RegistryError,
    RegistryUnavailable,
    UntrustedModel,
)
from modstream.models.registry.notifications import Hints
from modstream.models.registry.refs import read_ref
from modstream.models.registry.registry import Registry
from modstream.models.schema.artifact import check_size
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust
from modstream.models.serving.loaded_models import Loaded, Pair, Residents
from modstream.models.serving.loader import fetch
from modstream.models.serving.negative_cache import Failures

__all__ = ["Loaded", "Shelf", "ShelfSettings", "Swap"]

log = structlog.get_logger(__name__)

SWAPS_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class ShelfSettings:
    """How much a shelf holds and how fresh it keeps it."""

    poll_seconds: float = 0.5
    """How late a change is seen whose hint got lost."""
    max_bytes: int = 1024**3
    """Bytes of artifacts held; the runtimes made of them may be several times larger."""
    pinned: frozenset[str] = frozenset()
    """Models that are never evicted once they are held."""
    warm_up_rows: int = 32
    """Rows of the synthetic batch that a version answers before it serves."""
    absent_seconds: float = 1.0
    """How long an answer "no such model", or none, stands in for asking the registry again."""
    refused_seconds: float = 30.0
    """How long a version that was refused is not tried again."""


@dataclass(frozen=True, slots=True)
class Swap:
    """An alias now serves another version; `seconds` is what loading that took."""

    name: str
    ref: int | str
    old: int
    new: int
    seconds: float


class Shelf:
    """The models in a worker's memory, by name and version or alias.

    The serving thread calls `get` between two batches and keeps what it returns for the whole
    batch. One background thread watches the registry and loads, checks and warms up a new
    version before the reference moves to it: new before old, never half of each. When a new
    version is bad, or Redis is away, the last good one serves on.
    """

    def __init__(
        self,
        registry: Registry,
        trust: Trust,
        settings: ShelfSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._trust = trust
        self._settings = settings or ShelfSettings()
        self._residents = Residents(self._settings.max_bytes, self._settings.pinned)
        self._absent: Failures[Pair] = Failures(self._settings.absent_seconds, clock)
        self._refused: Failures[Pair] = Failures(self._settings.refused_seconds, clock)
        self._swapped: deque[Swap] = deque(maxlen=SWAPS_REMEMBERED)
        self._loading = Lock()
        self._watching: tuple[Hints, Thread] | None = None
        self._away = False
        self.swaps = 0

    def get(self, name: str, ref: int | str = "champion") -> Loaded:
        """Return the version that serves now; only the first call for a pair asks the registry.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            RegistryUnavailable: it is not held and Redis does not answer.
            UntrustedModel: it is not held and may not be loaded.
            ArtifactError: it is not held and cannot be loaded.
        """
        pair = name, read_ref(name, ref)
        return self._residents.get(pair) or self._open(pair)

    @property
    def refusals(self) -> Mapping[Pair, str]:
        """Why a version, or what an alias points at, does not serve; until it does."""
        return self._refused.reasons()

    @property
    def held(self) -> Mapping[Pair, int]:
        """The version that each pair serves now."""
        return {pair: loaded.card.version for pair, loaded in self._residents.pairs().items()}

    def take_swaps(self) -> list[Swap]:
        """Take the swaps since the last call, oldest first, to report them."""
        return [self._swapped.popleft() for _ in range(len(self._swapped))]

    def refresh(self) -> None:
        """Look once whether the registry has anything newer than what is held, and load it.

        The background thread does this on every hint and poll; call it only where none runs.
        """
        for pair, loaded in self._residents.pairs().items():
            try:
                self._renew(pair, loaded)
            except RegistryUnavailable as error:
                self._note_away(str(error))
                return
            except RegistryError as error:
                self._refuse(pair, error)
            except (ArtifactError, UntrustedModel):
                continue  # refused and remembered where it was loaded
        self._note_back()

    def start(self) -> None:
        """Start keeping the shelf up to date in the background."""
        self.close()
        hints = self._registry.watch()
        thread = Thread(target=self._keep_fresh, args=[hints], name="shelf", daemon=True)
        self._watching = hints, thread
        thread.start()

    def close(self) -> None:
        """Stop the background thread, after the load it may be at; what is held can be used on."""
        if self._watching is not None:
            hints, thread = self._watching
            hints.close()
            thread.join()
            self._watching = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, pair: Pair) -> Loaded:
        """Load what is not held yet; a failure is remembered and soon raised again unasked."""
        self._absent.check(pair)
        with self._loading:
            held = self._residents.get(pair)
            if held is not None:
                return held
            try:
                loaded = self._load(self._registry.card(*pair))
            except RegistryError as error:
                self._absent.note(pair, error)
                raise
            self._residents.put(pair, loaded)
        self._absent.forget(pair)
        return loaded

    def _renew(self, pair: Pair, held: Loaded) -> None:
        """Swap one pair to what the registry says it means, if that is something else."""
        card = self._registry.card(*pair)
        if card == held.card:
            self._refused.forget(pair)
            return
        began = time.perf_counter()
        with self._loading:
            loaded = self._load(card)
        if self._residents.replace(pair, loaded):
            self._refused.forget(pair)
            self._swapped.append(
                Swap(*pair, held.card.version, card.version, time.perf_counter() - began)
            )
            self.swaps += 1
            log.info("model swapped", model=pair[0], ref=pair[1], version=card.version)

    def _load(self, card: ModelCard) -> Loaded:
        """Load a version that is not resident under any pair; one load at a time."""
        resident = self._residents.find(card)
        if resident is not None:
            return resident
        version = card.name, card.version
        self._refused.check(version)
        try:
            check_size(card.size, self._settings.max_bytes)
            runtime = fetch(self._registry, self._trust, card, self._settings.warm_up_rows)
        except (ArtifactError, UntrustedModel) as error:
            self._refuse(version, error)
            raise
        self._refused.forget(version)
        return Loaded(card, runtime)

    def _refuse(self, pair: Pair, error: ModelError) -> None:
        if self._refused.note(pair, error):
            log.warning("model refused", model=pair[0], ref=pair[1], reason=str(error))

    def _note_away(self, reason: str) -> None:
        if not self._away:
            log.warning("registry away, serving on with what is held", reason=reason)
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            log.info("registry back")
        self._away = False

    def _keep_fresh(self, hints: Hints) -> None:
        while not hints.closed:
            hints.wait(self._settings.poll_seconds)
            try:
                self.refresh()
            except Exception:
                # one bad turn must not leave the worker on an old version for ever
                log.exception("refreshing the shelf failed")
