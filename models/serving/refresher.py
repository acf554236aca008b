"""Keeps loaded references at the versions that they have in the registry."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread

import structlog

from modstream.models.errors import ModelError
from modstream.models.registry.errors import RegistryError, RegistryUnavailable
from modstream.models.registry.notifications import ChangeSubscription
from modstream.models.registry.registry import Registry
from modstream.models.serving.background_loads import BackgroundLoads, Load
from modstream.models.serving.loaded_models import LoadedModel, LoadedModels, ModelRef
from modstream.models.serving.settings import ModelCacheSettings
from modstream.models.serving.version_loader import VersionLoader

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelSwap:
    """A reference that now serves another version; `seconds` is the time it took to load."""

    name: str
    ref: int | str
    old_version: int
    new_version: int
    seconds: float


class Refresher:
    """Watches the registry, and loads the new versions of loaded references side by side.

    A slow version delays no other: each is loaded in a thread of its own.

    Args:
        registry: where the versions come from.
        versions: loads them.
        loaded_models: what is refreshed.
        settings: refresh times and limits of loads.
        on_swap: called from the thread that loaded, after each swap, by one thread at a time.
        before_swap: called from that thread with the version that was loaded.
        after_refresh: called with the names after each refresh that reached the registry.
    """

    def __init__(  # noqa: PLR0913 - one argument for each collaborator
        self,
        registry: Registry,
        versions: VersionLoader,
        loaded_models: LoadedModels,
        settings: ModelCacheSettings,
        *,
        on_swap: Callable[[ModelSwap], None],
        before_swap: Callable[[LoadedModel], None],
        after_refresh: Callable[[Collection[str]], None],
    ) -> None:
        self._registry = registry
        self._versions = versions
        self._loaded_models = loaded_models
        self._settings = settings
        self._on_swap = on_swap
        self._before_swap = before_swap
        self._after_refresh = after_refresh
        self._loads = BackgroundLoads[ModelRef, LoadedModel | None](
            settings.parallel_loads, settings.load_limit, repeats=True
        )
        self._swapping = Lock()
        self._background: tuple[ChangeSubscription, Thread] | None = None
        self.is_registry_down = False

    def refresh(self, names: Collection[str] = ()) -> list[Load[LoadedModel | None]]:
        """Begin to load what is newer than the loaded versions of the named models, or of all."""
        try:
            loads = list(self._begin_updates(names))
        except RegistryUnavailable as error:
            self._note_registry(error)
            return []
        self._after_refresh(names)
        self._note_registry(None)
        return loads

    def start(self) -> None:
        """Start the thread that refreshes after each notification and at each poll."""
        changes = self._registry.subscribe()
        thread = Thread(target=self._watch, args=[changes], name="model-cache", daemon=True)
        self._background = changes, thread
        thread.start()

    def close(self, seconds: float) -> None:
        """Stop the thread, and wait at most so long for the loads that run."""
        if self._background is not None:
            changes, thread = self._background
            changes.close()
            thread.join()
            self._background = None
            self._loads.join(seconds)

    def _begin_updates(self, names: Collection[str]) -> Iterator[Load[LoadedModel | None]]:
        for ref, loaded in self._loaded_models.entries().items():
            if names and ref[0] not in names:
                continue
            try:
                card = self._registry.card(*ref)
            except RegistryUnavailable:
                raise
            except RegistryError as error:
                self._versions.reject(ref, error)
                self._versions.problems.record(ref, error)
                continue
            if card == loaded.card:
                self._note_success(ref)
                continue
            load = self._loads.begin(ref, partial(self._update, ref))
            if load is not None:
                yield load

    def _update(self, ref: ModelRef) -> LoadedModel | None:
        """Swap one reference to the version it has in the registry, if that is another one."""
        started = time.perf_counter()
        try:
            card = self._registry.card(*ref)
            current = self._loaded_models.entries().get(ref)
            if current is None or current.card == card:
                return current
            loaded = self._versions.load(card)
        except ModelError as error:
            self._versions.problems.record(ref, error)
            raise
        self._before_swap(loaded)
        if not self._loaded_models.replace(ref, loaded):
            return None
        self._note_success(ref)
        if isinstance(ref[1], str):
            self._registry.record_served(ref[0], ref[1], card.version)
        with self._swapping:
            log.info("model swapped", model=ref[0], ref=ref[1], version=card.version)
            seconds = time.perf_counter() - started
            self._on_swap(ModelSwap(*ref, current.card.version, card.version, seconds))
        return loaded

    def _note_success(self, ref: ModelRef) -> None:
        self._versions.rejected.discard(ref)
        self._versions.problems.discard(ref)

    def _note_registry(self, error: RegistryUnavailable | None) -> None:
        """Log when the registry becomes unavailable, and when it is available again."""
        is_down = error is not None
        if is_down and not self.is_registry_down:
            log.warning("registry unavailable, serving the loaded models", reason=str(error))
        if self.is_registry_down and not is_down:
            log.info("registry available again")
        self.is_registry_down = is_down

    def _watch(self, changes: ChangeSubscription) -> None:
        """Refresh the named models after each notification, and all models at each poll."""
        poll_at = time.monotonic() + self._settings.poll_seconds
        while True:
            names = changes.wait(max(0.0, poll_at - time.monotonic()))
            if changes.is_closed:
                return
            if not names or time.monotonic() >= poll_at:
                names = set()
                poll_at = time.monotonic() + self._settings.poll_seconds
            try:
                self.refresh(names)
                self._loads.poll()
            except Exception:
                # One failed refresh must not end the thread: the worker would serve old versions.
                log.exception("refreshing the model cache failed")
