"""Loads the versions of a cache: each once at a time, after its trial; failures are remembered."""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

import structlog

from modstream.models.errors import ArtifactError, ModelError, UntrustedModel
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import CONTINUED_RUNTIMES
from modstream.models.schema.artifact import Artifact, check_artifact_size
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust
from modstream.models.serving.alias_problems import AliasProblems
from modstream.models.serving.loaded_models import LoadedModel, LoadedModels, ModelVersion
from modstream.models.serving.loader import ArtifactSource, load_version
from modstream.models.serving.negative_cache import NegativeCache
from modstream.models.serving.settings import ModelCacheSettings
from modstream.models.trial.process import TrialProcess

MAX_PROVEN = 10_000
"""Versions whose passed trial is remembered, so that an evicted one is loaded again without it."""

log = structlog.get_logger(__name__)


def accept_all(_card: ModelCard) -> None:
    """Let all versions serve."""


class VersionLoader:
    """Loads versions; safe to use from several threads.

    A version is tried in another process before it is loaded in this one, where it could crash or
    stop every thread. A trial is not needed for

    - a card that has the record of a trial and is signed by a trusted key: who signs has tried;
    - a version that was learned from a loaded one of the same structure, or a mean that follows on
      a loaded one. The learner has predicted with it, and publishes one every few seconds;
    - a pipeline, which is a text that is parsed; the models of its steps are tried as such.

    Args:
        registry: where artifacts come from.
        trust: the keys whose models may be loaded.
        settings: limits.
        trials: where versions are tried; None to load them without a trial.
        loaded_models: the versions that are loaded already.
        clock: monotonic time in seconds, for the ages of failures.
        check: raises an ArtifactError if a version must not serve here.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one argument for each collaborator
        self,
        registry: Registry,
        trust: Trust,
        settings: ModelCacheSettings,
        trials: TrialProcess | None,
        loaded_models: LoadedModels,
        clock: Callable[[], float] = time.monotonic,
        check: Callable[[ModelCard], None] = accept_all,
    ) -> None:
        self._registry = registry
        self._trust = trust
        self._settings = settings
        self._trials = trials
        self._loaded_models = loaded_models
        self._check = check
        self.rejected: NegativeCache[tuple[str, int | str]] = NegativeCache(
            settings.rejected_ttl_seconds, clock, settings.rejected_max_ttl_seconds
        )
        """Failures by model and version, and by model and alias."""
        self.problems = AliasProblems()
        self._in_progress: dict[ModelVersion, Future[LoadedModel]] = {}
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def load(self, card: ModelCard, source: ArtifactSource | None = None) -> LoadedModel:
        """Load a version unless it is loaded, or wait for another thread that is loading it.

        Its artifact comes from `source`, by default from the registry.

        Raises:
            UntrustedModel: no trusted key has signed the card.
            ArtifactError: it cannot be loaded, or could not a short time ago.
            RegistryError: the registry is unavailable or no longer has the artifact.
        """
        found = self._loaded_models.find(card)
        if found is not None:
            return found
        version = card.name, card.version
        with self._lock:
            other = self._in_progress.get(version)
            mine: Future[LoadedModel] = Future()
            if other is None:
                self._in_progress[version] = mine
        if other is not None:
            return other.result()
        try:
            mine.set_result(self._load(card, source or self._registry))
        except BaseException as error:  # noqa: BLE001 - raised below, and in the threads that wait
            mine.set_exception(error)
        finally:
            with self._lock:
                del self._in_progress[version]
        return mine.result()

    def reject(self, ref: tuple[str, int | str], error: ModelError) -> None:
        """Remember why a version, or an alias's target, does not serve; log it when it is new."""
        if self.rejected.record(ref, error):
            log.warning("model rejected", model=ref[0], ref=ref[1], reason=str(error))

    def _load(self, card: ModelCard, source: ArtifactSource) -> LoadedModel:
        version = card.name, card.version
        if source is self._registry:
            self.rejected.raise_if_recent(version)
        try:
            self._check(card)
            check_artifact_size(card.size, self._settings.max_bytes)
            trial = self._try if self._needs_trial(card) else None
            rows = self._settings.warm_up_rows
            runtime = load_version(source, self._trust, card, rows, trial)
        except (ArtifactError, UntrustedModel) as error:
            self.reject(version, error)
            raise
        self.rejected.discard(version)
        return LoadedModel(card, runtime)

    def _needs_trial(self, card: ModelCard) -> bool:
        """Return whether a card's own word is not enough; a signature is verified before it is."""
        if self._trials is None or card.sha256 in self._proven or card.output_form == "pipeline":
            return False
        is_vouched_for = card.trial is not None and not self._trust.is_unrestricted
        return not is_vouched_for and not self._was_learned(card)

    def _was_learned(self, card: ModelCard) -> bool:
        """Return whether a version continues a loaded one of the same structure."""
        if card.parent is None or card.runtime not in CONTINUED_RUNTIMES:
            return False
        structure = _structure(card)
        loaded = self._loaded_models.entries().values()
        return any(structure == _structure(one.card) for one in loaded)

    def _try(self, card: ModelCard, artifact: Artifact) -> None:
        if self._trials is not None:
            self._trials.run(card, artifact, warm_up_rows=self._settings.warm_up_rows)
        with self._lock:
            self._proven[card.sha256] = None
            if len(self._proven) > MAX_PROVEN:
                self._proven.popitem(last=False)


def _structure(card: ModelCard) -> tuple[object, ...]:
    """Return what versions of the same learned model have in common."""
    return card.name, card.runtime, card.task, card.classes, card.input_schema
