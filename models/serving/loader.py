"""Loading of a version: signature check, download, hash check, deserialization, warm-up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from modstream.models.errors import PredictError, UnreadableArtifact, WarmUpFailed
from modstream.models.runtimes.first_labels import awaits_labels
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.runtime import AnyRuntime, TensorRuntime, load, usable_rows
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.synthetic import synthetic_tensors, warm_up_batch
from modstream.models.security.signing import Trust


class ArtifactSource(Protocol):
    """Where the artifacts of versions are: the registry, or a backup."""

    def artifact(self, card: ModelCard) -> Artifact:
        """Return the artifact of a version."""


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """Gives an artifact that was read before, as from a backup."""

    stored: Artifact

    def artifact(self, _card: ModelCard) -> Artifact:
        """Return the artifact."""
        return self.stored


def load_version(
    source: ArtifactSource,
    trust: Trust,
    card: ModelCard,
    warm_up_rows: int,
    trial: Callable[[ModelCard, Artifact], None] | None = None,
) -> AnyRuntime:
    """Fetch, verify, try, build and warm up a version.

    Nothing is deserialized before it is trusted, nor in this process before `trial`, if there is
    one, has returned.

    Raises:
        UntrustedModel: no trusted key has signed the card.
        ArtifactError: the bytes are not the card's artifact, cannot be read, or fail the trial or
            the warm-up.
        RegistryError: the registry is unavailable or no longer has the artifact.
    """
    trust.verify(card)
    artifact = source.artifact(card)
    if trial is not None:
        trial(card, artifact)
    with translate_library_errors(lambda reason: UnreadableArtifact(card.runtime, reason)):
        runtime = load(artifact, card)
        warm_up(runtime, card, warm_up_rows)
    return runtime


def warm_up(runtime: AnyRuntime, card: ModelCard, rows: int) -> None:
    """Predict one batch of sample rows, so that slow first calls do not happen while serving.

    A model that learns may have no prediction yet, if it has one after its first labels.

    Raises:
        WarmUpFailed: the runtime raises, or its output is not finite.
    """
    reason = "its output is NaN or infinite"
    if card.output_form == "pipeline":
        return  # its models are versions of their own, warmed up as such
    try:
        if card.output_form == "tensors":
            cast(TensorRuntime, runtime).predict_tensors(synthetic_tensors(card))
            return
        batch = warm_up_batch(card, rows)
        if usable_rows(runtime, card, batch).all():
            return
    except PredictError as error:
        reason = str(error)
    if card.output_form == "tensors" or not awaits_labels(runtime, card, batch):
        raise WarmUpFailed(card.name, card.version, reason)
