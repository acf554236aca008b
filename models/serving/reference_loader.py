"""The first load of a reference: its version, or the one that it served before it went bad."""

from collections.abc import Callable
from contextlib import suppress

import structlog

from modstream.models.errors import ArtifactError, ModelError, UntrustedModel, VersionSetAside
from modstream.models.registry.errors import (
    ArtifactDeleted,
    BrokenAlias,
    UnreadableCard,
    UntrustedAlias,
)
from modstream.models.registry.refs import parse_ref
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import models_of_steps
from modstream.models.serving.loaded_models import LoadedModel, LoadedModels, ModelRef
from modstream.models.serving.loader import StoredArtifact
from modstream.models.serving.negative_cache import NegativeCache
from modstream.models.serving.runtime_imports import RuntimeImports
from modstream.models.serving.version_loader import VersionLoader

REPLACED = (
    *(UntrustedAlias, UntrustedModel, BrokenAlias, UnreadableCard),
    *(ArtifactDeleted, ArtifactError),
)
"""The failures in whose place the version is loaded that the alias served last."""

log = structlog.get_logger(__name__)


class ReferenceLoader:
    """Loads references that are not loaded yet; safe to use from several threads.

    A worker that runs serves on when an alias is moved to a version that cannot be trusted or
    loaded. A worker that starts does the same: it loads the version that this machine served last,
    from the backup.

    Args:
        registry: where the versions come from.
        versions: loads them.
        loaded_models: where they are put.
        not_loaded: remembers the failures of references.
        imports: imports the libraries of a runtime.
        retry_seconds: how long a failed load from the backup is not tried again.
        clock: monotonic time in seconds.
    """

    def __init__(  # noqa: PLR0913 - one argument for each collaborator
        self,
        registry: Registry,
        versions: VersionLoader,
        loaded_models: LoadedModels,
        not_loaded: NegativeCache[ModelRef],
        imports: RuntimeImports,
        *,
        retry_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._versions = versions
        self._loaded_models = loaded_models
        self._not_loaded = not_loaded
        self._imports = imports
        self._not_replaced: NegativeCache[ModelRef] = NegativeCache(retry_seconds, clock)

    def load(self, ref: ModelRef) -> LoadedModel:
        """Load a reference; the call takes as long as the trial and the load of its version.

        Raises:
            ModelError: it cannot be loaded, and nothing that it served before either.
        """
        try:
            card = self._registry.card(*ref)
            self._imports.begin(card.runtime)
            loaded = self._versions.load(card)
        except ModelError as error:
            self._versions.problems.record(ref, error)
            loaded = self._load_last_served(ref, error)
        else:
            self._versions.problems.discard(ref)
            if isinstance(ref[1], str):
                self._registry.record_served(ref[0], ref[1], card.version)
        self.load_models_of_steps(loaded)
        self._loaded_models.put(ref, loaded)
        self._not_loaded.discard(ref)
        return loaded

    def load_models_of_steps(self, loaded: LoadedModel) -> None:
        """Load what the steps of a pipeline ask, so that its first requests need not wait for it.

        A model that cannot be loaded fails its step, whose definition says what becomes of that.
        """
        for ref in models_of_steps(loaded.runtime):
            with suppress(ModelError):
                if self._loaded_models.get(ref) is None and not self._is_pipeline(*ref):
                    self.load((ref[0], parse_ref(*ref)))

    def _is_pipeline(self, name: str, ref: int | str) -> bool:
        return self._registry.card(name, parse_ref(name, ref)).output_form == "pipeline"

    def _load_last_served(self, ref: ModelRef, error: ModelError) -> LoadedModel:
        """Load the version that an alias served last; raise the alias's `error` if there is none.

        A version that was set aside is not loaded again in this way, and an outage of Redis says
        nothing about a version.
        """
        name, alias = ref
        is_replaced = isinstance(error, REPLACED) and not isinstance(error, VersionSetAside)
        loaded = None
        if isinstance(alias, str) and is_replaced:
            with suppress(ModelError):
                self._not_replaced.raise_if_recent(ref)
                loaded = self._load_from_backup(name, alias)
        if loaded is None:
            self._not_loaded.record(ref, error)
            raise error
        log.error(
            "model not loaded, serving the last good version",
            model=name,
            ref=alias,
            version=loaded.card.version,
            reason=str(error),
        )
        return loaded

    def _load_from_backup(self, name: str, alias: str) -> LoadedModel | None:
        """Load the version that was served last; None if it was not recorded or is not kept."""
        found = self._registry.last_served(name, alias)
        if found is None:
            return None
        card, artifact = found
        self._imports.begin(card.runtime)
        try:
            return self._versions.load(card, StoredArtifact(artifact))
        except ModelError as failure:
            self._not_replaced.record((name, alias), failure)
            raise
