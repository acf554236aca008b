"""A published version with all that predicting needs, as bytes that other processes can load."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import AnyRuntime, models_of_steps
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust
from modstream.models.serving.loaded_models import LoadedModel
from modstream.models.serving.loader import load_version
from modstream.processors.predict.column_engine import ColumnEngine
from modstream.processors.predict.model_resolver import FixedModelProvider
from modstream.registry.backups import read_backup
from modstream.registry.trust import load_trust
from modstream.settings import Settings

Fetch = Callable[[str, int | str], tuple[ModelCard, Artifact]]
"""Returns the card and the artifact of a model's version or alias."""


@dataclass(frozen=True, slots=True)
class VersionFile:
    """A card and its artifact, and the reference by which it was asked for."""

    name: str
    ref: int | str
    card: ModelCard
    content: bytes

    def load(self, trust: Trust) -> AnyRuntime:
        """Return the runtime; signature and hash are checked first.

        Raises:
            UntrustedModel: no trusted key has signed the card.
            ArtifactError: the artifact is damaged, or cannot be loaded.
        """
        return load_version(self, trust, self.card, 1)

    def artifact(self, _card: ModelCard) -> Artifact:
        """Return the artifact."""
        return Artifact(self.content)


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """A version, the models of its steps if it is a pipeline, and the keys that are trusted."""

    model: VersionFile
    steps: tuple[VersionFile, ...]
    trusted_keys: tuple[str, ...]
    installation: str

    @property
    def card(self) -> ModelCard:
        """The card of the version."""
        return self.model.card

    def load(self) -> tuple[LoadedModel, ColumnEngine]:
        """Load the version into this process.

        Raises:
            UntrustedModel: no trusted key has signed a version.
            ArtifactError: a version cannot be loaded.
            TensorsExpected: the model takes tensors.
        """
        trust = Trust(self.trusted_keys, self.installation)
        steps = {(one.name, one.ref): LoadedModel(one.card, one.load(trust)) for one in self.steps}
        model = LoadedModel(self.card, self.model.load(trust))
        return model, ColumnEngine(model, FixedModelProvider(steps))


def fetch_version(
    registry: Registry, settings: Settings, name: str, ref: int | str
) -> VersionFiles:
    """Fetch a version from the registry.

    Raises:
        ModelNotFound: there is no such model, version or alias.
        RegistryUnavailable: Redis does not answer.
        UntrustedModel: no trusted key has signed a pipeline.
    """

    def fetch(name: str, ref: int | str) -> tuple[ModelCard, Artifact]:
        card = registry.card(name, ref)
        return card, registry.artifact(card)

    return _collect(settings, fetch, name, ref)


def read_version(settings: Settings, name: str, version: int | str) -> VersionFiles:
    """Read a version from the folder of backups, without Redis.

    Raises:
        BackupMissing: there is no backup of the version, or of a step's, or it is an alias.
        UntrustedModel: no trusted key has signed a pipeline.
    """
    return _collect(settings, partial(read_backup, settings), name, version)


def _collect(settings: Settings, fetch: Fetch, name: str, ref: int | str) -> VersionFiles:
    """Return a version with the models of its steps."""
    trust = load_trust(settings)
    card, artifact = fetch(name, ref)
    model = VersionFile(name, ref, card, artifact.content)
    steps = []
    if card.output_form == "pipeline":
        for asked in models_of_steps(model.load(trust)):
            step, content = fetch(*asked)
            steps.append(VersionFile(*asked, step, content.content))
    return VersionFiles(model, tuple(steps), trust.keys, trust.installation)
