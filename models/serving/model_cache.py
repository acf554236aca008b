"""The cache of loaded models that a worker serves from, refreshed by a background thread."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Self

import structlog

from modstream.models.errors import ArtifactError, ModelError, UntrustedModel
from modstream.models.registry.errors import RegistryError, RegistryUnavailable
from modstream.models.registry.notifications import ChangeSubscription
from modstream.models.registry.refs import DEFAULT_ALIAS, parse_ref
from modstream.models.registry.registry import Registry
from modstream.models.schema.artifact import check_artifact_size
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust
from modstream.models.serving.loaded_models import LoadedModel, LoadedModels, ModelRef
from modstream.models.serving.loader import load_version
from modstream.models.serving.negative_cache import NegativeCache
from modstream.models.serving.settings import ModelCacheSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelSwap:
    """A reference that now serves another version; `seconds` is the time it took to load."""

    name: str
    ref: int | str
    old_version: int
    new_version: int
    seconds: float


def ignore_swap(_swap: ModelSwap) -> None:
    """Do nothing: the default `on_swap` of a model cache."""


class ModelCache:
    """The models in a worker's memory, by name and version or alias.

    The serving thread calls `get` between two batches and uses what it returns for the whole
    batch. One background thread watches the registry. It loads, verifies and warms up a new
    version before the reference moves to it, so a batch sees either the old or the new version.
    If a new version is bad, or Redis is unavailable, the last good version continues to serve.

    Args:
        registry: where the versions come from.
        trust: the keys whose models may be loaded.
        settings: size limit and refresh times.
        clock: monotonic time in seconds, for the ages of failures.
        on_swap: called from the background thread after each swap.
    """

    def __init__(
        self,
        registry: Registry,
        trust: Trust,
        settings: ModelCacheSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_swap: Callable[[ModelSwap], None] = ignore_swap,
    ) -> None:
        self._registry = registry
        self._trust = trust
        self._settings = settings or ModelCacheSettings()
        self._on_swap = on_swap
        self._loaded_models = LoadedModels(self._settings.max_bytes, self._settings.pinned)
        self._not_found: NegativeCache[ModelRef] = NegativeCache(
            self._settings.not_found_ttl_seconds, clock
        )
        self._rejected: NegativeCache[ModelRef] = NegativeCache(
            self._settings.rejected_ttl_seconds, clock
        )
        self._load_lock = Lock()
        self._background: tuple[ChangeSubscription, Thread] | None = None
        self._is_registry_down = False

    def get(self, name: str, ref: int | str = DEFAULT_ALIAS) -> LoadedModel:
        """Return the version that serves now; only the first call for a reference asks Redis.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            RegistryUnavailable: the model is not loaded and Redis does not answer.
            UntrustedModel: the model is not loaded and no trusted key has signed it.
            ArtifactError: the model is not loaded and cannot be loaded.
        """
        model_ref = name, parse_ref(name, ref)
        return self._loaded_models.get(model_ref) or self._load_first(model_ref)

    @property
    def rejections(self) -> Mapping[ModelRef, str]:
        """Why a version, or the target of an alias, does not serve, until it does."""
        return self._rejected.reasons()

    @property
    def versions(self) -> Mapping[ModelRef, int]:
        """The version that each loaded reference serves now."""
        return {ref: loaded.card.version for ref, loaded in self._loaded_models.entries().items()}

    def refresh(self, names: Collection[str] = ()) -> None:
        """Load what the registry has newer than the loaded versions of the named models.

        Without names, all loaded models are refreshed. The background thread calls this after
        each notification and poll; call it only if that thread is not running.
        """
        for ref, loaded in self._loaded_models.entries().items():
            if names and ref[0] not in names:
                continue
            try:
                self._update(ref, loaded)
            except RegistryUnavailable as error:
                self._note_registry_down(str(error))
                return
            except RegistryError as error:
                self._reject(ref, error)
            except (ArtifactError, UntrustedModel):
                continue  # _load has recorded the rejection
        self._note_registry_up()

    def start(self) -> None:
        """Start the background thread that refreshes the cache."""
        self.close()
        changes = self._registry.subscribe()
        thread = Thread(
            target=self._watch_registry, args=[changes], name="model-cache", daemon=True
        )
        self._background = changes, thread
        thread.start()

    def close(self) -> None:
        """Stop the background thread after its current load; loaded models remain usable."""
        if self._background is not None:
            changes, thread = self._background
            changes.close()
            thread.join()
            self._background = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _load_first(self, ref: ModelRef) -> LoadedModel:
        """Load a reference that is not loaded yet; a recent failure is raised again instead."""
        self._not_found.raise_if_recent(ref)
        with self._load_lock:
            found = self._loaded_models.get(ref)
            if found is not None:
                return found
            try:
                loaded = self._load(self._registry.card(*ref))
            except RegistryError as error:
                self._not_found.record(ref, error)
                raise
            self._loaded_models.put(ref, loaded)
        self._not_found.discard(ref)
        return loaded

    def _update(self, ref: ModelRef, current: LoadedModel) -> None:
        """Swap one reference to the version it has in the registry, if that is another one."""
        card = self._registry.card(*ref)
        if card == current.card:
            self._rejected.discard(ref)
            return
        started = time.perf_counter()
        with self._load_lock:
            loaded = self._load(card)
        if not self._loaded_models.replace(ref, loaded):
            return
        self._rejected.discard(ref)
        log.info("model swapped", model=ref[0], ref=ref[1], version=card.version)
        seconds = time.perf_counter() - started
        self._on_swap(ModelSwap(*ref, current.card.version, card.version, seconds))

    def _load(self, card: ModelCard) -> LoadedModel:
        """Load a version unless another reference has loaded it; the caller holds the load lock."""
        found = self._loaded_models.find(card)
        if found is not None:
            return found
        version = card.name, card.version
        self._rejected.raise_if_recent(version)
        try:
            check_artifact_size(card.size, self._settings.max_bytes)
            runtime = load_version(self._registry, self._trust, card, self._settings.warm_up_rows)
        except (ArtifactError, UntrustedModel) as error:
            self._reject(version, error)
            raise
        self._rejected.discard(version)
        return LoadedModel(card, runtime)

    def _reject(self, ref: ModelRef, error: ModelError) -> None:
        if self._rejected.record(ref, error):
            log.warning("model rejected", model=ref[0], ref=ref[1], reason=str(error))

    def _note_registry_down(self, reason: str) -> None:
        if not self._is_registry_down:
            log.warning("registry unavailable, serving the loaded models", reason=reason)
        self._is_registry_down = True

    def _note_registry_up(self) -> None:
        if self._is_registry_down:
            log.info("registry available again")
        self._is_registry_down = False

    def _watch_registry(self, changes: ChangeSubscription) -> None:
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
            except Exception:
                # One failed refresh must not end the thread: the worker would serve old versions.
                log.exception("refreshing the model cache failed")
