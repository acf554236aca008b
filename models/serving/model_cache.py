"""The cache of loaded models that a worker serves from, refreshed in the background."""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Self

import structlog

from modstream.models.errors import LoadTimedOut, ModelLoading, VersionSetAside
from modstream.models.registry.errors import RegistryError
from modstream.models.registry.refs import DEFAULT_ALIAS, parse_ref
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust
from modstream.models.serving.background_loads import BackgroundLoads, Load
from modstream.models.serving.loaded_models import LoadedModel, LoadedModels, ModelRef
from modstream.models.serving.negative_cache import NegativeCache
from modstream.models.serving.reference_loader import ReferenceLoader
from modstream.models.serving.refresher import ModelSwap, Refresher
from modstream.models.serving.runtime_imports import RuntimeImports
from modstream.models.serving.settings import ModelCacheSettings
from modstream.models.serving.version_loader import VersionLoader, accept_all
from modstream.models.serving.wait_budget import WaitBudget
from modstream.models.trial.process import TrialProcess

__all__ = ["ModelCache", "ModelSwap"]

CLOSE_SECONDS = 2.0
"""How long `close` waits for loads that are running."""
IMPORT_WAIT_SECONDS = 5.0
"""How long requests wait while the libraries of their model's runtime are being imported."""

log = structlog.get_logger(__name__)


def ignore_swap(_swap: ModelSwap) -> None:
    """Do nothing: the default `on_swap` of a model cache."""


class ModelCache:
    """The models in a worker's memory, by name and version or alias.

    The serving thread calls `get` between two batches and uses what it returns for the whole
    batch. Everything else happens in other threads: one watches the registry, and loads run beside
    both. A new version is verified, tried, loaded and warmed up before the reference moves to it,
    so a batch sees either the old or the new version. If a new version is bad, or Redis is
    unavailable, the last good version continues to serve.

    Args:
        registry: where the versions come from.
        trust: the keys whose models may be loaded.
        settings: size limit, refresh times, and limits of loads.
        clock: monotonic time in seconds, for the ages of failures.
        on_swap: called from the thread that loaded, after each swap.
        trials: where versions are tried before they are loaded; None to load them untried.
        check: raises an ArtifactError if a version must not serve here.
    """

    def __init__(  # noqa: PLR0913 - one argument for each collaborator
        self,
        registry: Registry,
        trust: Trust,
        settings: ModelCacheSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_swap: Callable[[ModelSwap], None] = ignore_swap,
        *,
        trials: TrialProcess | None = None,
        check: Callable[[ModelCard], None] = accept_all,
    ) -> None:
        self._registry = registry
        self._settings = chosen = settings or ModelCacheSettings()
        self._loaded_models = LoadedModels(chosen.max_bytes, chosen.pinned)
        self._imports = RuntimeImports(registry, trials if trust.is_unrestricted else None)
        loaded = self._loaded_models
        self._versions = VersionLoader(registry, trust, chosen, trials, loaded, clock, check)
        self._not_loaded: NegativeCache[ModelRef] = NegativeCache(
            chosen.not_found_ttl_seconds, clock
        )
        self._references = ReferenceLoader(
            *(registry, self._versions, loaded, self._not_loaded, self._imports),
            retry_seconds=chosen.rejected_ttl_seconds,
            clock=clock,
        )
        self._budget = WaitBudget(chosen.first_load_burst_seconds, chosen.first_load_share)
        # Apart from the loads of the refresher, so that requests cannot hold up a new version.
        self._loads = BackgroundLoads[ModelRef, LoadedModel](
            chosen.parallel_loads, chosen.load_limit
        )
        self._required: set[ModelRef] = set()
        self._refresher = Refresher(
            *(registry, self._versions, self._loaded_models, chosen),
            on_swap=on_swap,
            before_swap=self._references.load_models_of_steps,
            after_refresh=self._retry_failed,
        )

    def get(self, name: str, ref: int | str = DEFAULT_ALIAS) -> LoadedModel:
        """Return the version that serves now; a reference that is not loaded begins to be loaded.

        The call waits for that a short time, which is bounded for each reference and for all of
        them together.

        Raises:
            ModelLoading: the reference is not loaded yet.
            ModelNotFound: there is no such model, version or alias.
            RegistryUnavailable: the model is not loaded and Redis does not answer.
            UntrustedModel: the model is not loaded and no trusted key has signed it.
            ArtifactError: the model is not loaded and cannot be loaded, or was set aside.
        """
        loaded = self._loaded_models.get((name, ref))  # no other form of a reference is loaded
        model_ref = name, ref
        if loaded is None:
            model_ref = name, parse_ref(name, ref)
            loaded = self._loaded_models.get(model_ref)
        if loaded is not None and not loaded.is_exhausted:
            return loaded
        if loaded is not None:
            self._set_aside(loaded)
        load = self._begin(model_ref)
        if load is not None:
            self._wait_within_budget(load)
        return self._result(model_ref, load)

    def load(
        self, name: str, ref: int | str = DEFAULT_ALIAS, timeout: float | None = None
    ) -> LoadedModel:
        """Return the version that serves now, and wait for it if necessary; else like `get`.

        Raises:
            ModelLoading: it is not loaded after `timeout` seconds; by default, these are enough
                for a trial and a load.
        """
        model_ref = name, parse_ref(name, ref)
        loaded = self._loaded_models.get(model_ref)
        if loaded is not None:
            return loaded
        load = self._begin(model_ref)
        if load is not None:
            load.wait(self._settings.load_limit if timeout is None else timeout)
        return self._result(model_ref, load)

    def require(self, names: Collection[str]) -> None:
        """Begin to load the champions of these models; what fails is tried again."""
        refs = [(name, DEFAULT_ALIAS) for name in names]
        self._required.update(refs)
        for ref in refs:
            self._loads.begin(ref, partial(self._references.load, ref))

    def import_ahead(self) -> None:
        """Begin to import the libraries that the registry's models need."""
        self._imports.prepare_all()

    def wait_for_imports(self, seconds: float) -> None:
        """Wait for the imports that were begun, at most so long."""
        self._imports.join(seconds)

    @property
    def rejections(self) -> Mapping[ModelRef, str]:
        """Why a version, or the target of an alias, does not serve, until it does."""
        return self._versions.rejected.reasons()

    @property
    def problems(self) -> Mapping[ModelRef, str]:
        """Why an alias points at a version that cannot be loaded, by model and alias."""
        return self._versions.problems.reasons()

    @property
    def versions(self) -> Mapping[ModelRef, int]:
        """The version that each loaded reference serves now."""
        return {ref: loaded.card.version for ref, loaded in self._loaded_models.entries().items()}

    def refresh(self, names: Collection[str] = ()) -> None:
        """Load what the registry has newer than the loaded versions of the named models.

        Without names, all loaded models are refreshed. The background thread does the same after
        each notification and poll; call this only if that thread is not running.
        """
        for load in self._refresher.refresh(names):
            load.wait(self._settings.load_limit)

    def start(self) -> None:
        """Start the background thread that refreshes the cache."""
        self.close()
        self._refresher.start()

    def close(self) -> None:
        """Stop the background thread, and wait a moment for running loads; models stay usable."""
        self._refresher.close(CLOSE_SECONDS)
        self._loads.join(CLOSE_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, ref: ModelRef) -> Load[LoadedModel] | None:
        """Begin the load of a reference; raise its failure again instead if that is recent."""
        self._not_loaded.raise_if_recent(ref)
        return self._loads.begin(ref, partial(self._references.load, ref))

    def _wait_within_budget(self, load: Load[LoadedModel]) -> None:
        limit = self._settings.first_load_wait_seconds - load.waited_seconds
        seconds = min(limit, self._budget.available())
        if seconds <= 0 or load.is_done:
            return
        waited = load.timed_wait(seconds)
        if not load.is_done and self._imports.are_running:
            # A runtime is imported once. The wait for it is not the model's, and not counted.
            self._imports.join(IMPORT_WAIT_SECONDS)
            waited += load.timed_wait(seconds)
        load.waited_seconds += waited
        self._budget.spend(waited)

    def _result(self, ref: ModelRef, load: Load[LoadedModel] | None) -> LoadedModel:
        if load is not None and load.is_done:
            return load.result()
        if load is None or not self._loads.is_overdue(load):
            raise ModelLoading(*ref)
        error = LoadTimedOut(*ref, self._settings.load_limit)
        self._versions.problems.record(ref, error)
        raise error

    def _set_aside(self, loaded: LoadedModel) -> None:
        """Drop a version that had to be stopped again and again, and refuse it for a while."""
        error = VersionSetAside(*loaded.key)
        refs = [ref for ref, one in self._loaded_models.entries().items() if one is loaded]
        self._loaded_models.discard(loaded)
        self._versions.rejected.record(loaded.key, error)
        for ref in refs:
            self._not_loaded.record(ref, error)
            self._versions.problems.record(ref, error)
        log.error("model set aside", model=loaded.key[0], version=loaded.key[1], reason=str(error))

    def _retry_failed(self, names: Collection[str]) -> None:
        """Begin what may succeed now: loads that are required or failed, imports of libraries."""
        self._loads.poll()
        loaded = self._loaded_models.entries().keys()
        self._imports.prepare(set(names) - {name for name, _ in loaded})
        missing = (self._required | self.problems.keys()) - loaded
        for ref in missing:
            if not names or ref[0] in names:
                self._loads.begin(ref, partial(self._references.load, ref))
        self._load_ahead(set(names) - {name for name, _ in loaded | missing})

    def _load_ahead(self, names: Collection[str]) -> None:
        """Begin to load the champions of models that were just published, if they evict nothing.

        The first request to them would otherwise wait for the trial and the load.
        """
        for name in names:
            ref = name, DEFAULT_ALIAS
            with suppress(RegistryError):
                if self._loaded_models.has_room(self._registry.card(*ref).size):
                    self._loads.begin(ref, partial(self._references.load, ref))
