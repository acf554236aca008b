"""Loading of a version: signature check, download, hash check, deserialization, warm-up."""

from modstream.models.errors import PredictError, UnreadableArtifact, WarmUpFailed
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.runtime import Runtime, has_output, load
from modstream.models.schema.card import ModelCard
from modstream.models.schema.synthetic import synthetic_batch
from modstream.models.security.signing import Trust


def load_version(registry: Registry, trust: Trust, card: ModelCard, warm_up_rows: int) -> Runtime:
    """Fetch, verify, build and warm up a version; nothing is deserialized before it is trusted.

    Raises:
        UntrustedModel: no trusted key has signed the card.
        ArtifactError: the bytes are not the card's artifact, cannot be read, or fail the warm-up.
        RegistryError: the registry is unavailable or no longer has the artifact.
    """
    trust.verify(card)
    artifact = registry.artifact(card)
    with translate_library_errors(lambda reason: UnreadableArtifact(card.runtime, reason)):
        runtime = load(artifact, card)
        warm_up(runtime, card, warm_up_rows)
    return runtime


def warm_up(runtime: Runtime, card: ModelCard, rows: int) -> None:
    """Predict one synthetic batch, so that slow first calls do not happen while serving.

    Raises:
        WarmUpFailed: the runtime raises, or its output is not finite.
    """
    batch = synthetic_batch(card.input_schema, rows)
    try:
        outputs = runtime.predict(batch)
    except PredictError as error:
        raise WarmUpFailed(card.name, card.version, str(error)) from error
    if not has_output(outputs, card.task).all():
        raise WarmUpFailed(card.name, card.version, "its output is NaN or infinite")
