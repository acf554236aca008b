"""From a card to a runtime that is known to answer: trusted, intact, readable, warm."""

import numpy as np

from modstream.models.errors import PredictError, UnreadableArtifact, WarmUpFailed
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.runtime import Runtime, answered, load
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Feature, InputSchema, Scalar
from modstream.models.security.signing import Trust


def fetch(registry: Registry, trust: Trust, card: ModelCard, rows: int) -> Runtime:
    """Fetch, check, build and warm up a version; nothing is unpacked before it is trusted.

    Raises:
        UntrustedModel: the signature is not by a trusted key.
        ArtifactError: the bytes are not the card's, cannot be read, or fail the warm-up.
        RegistryError: the registry is away or no longer has the artifact.
    """
    trust.verify(card)
    artifact = registry.artifact(card)
    with translated(lambda reason: UnreadableArtifact(card.runtime, reason)):
        runtime = load(artifact, card)
        warm_up(runtime, card, rows)
    return runtime


def warm_up(runtime: Runtime, card: ModelCard, rows: int) -> None:
    """Let a runtime answer one synthetic batch: slow first calls happen here, not in service.

    Raises:
        WarmUpFailed: it raises, or answers NaN or infinity.
    """
    batch = synthetic(card.input_schema, rows)
    try:
        outputs = runtime.predict(batch)
    except PredictError as error:
        raise WarmUpFailed(card.name, card.version, str(error)) from error
    if not answered(outputs, card.task).all():
        raise WarmUpFailed(card.name, card.version, "it answers NaN or infinity")


def synthetic(schema: InputSchema, rows: int) -> Batch:
    """Make a batch of valid rows that cross each feature's range, 0 to 1 where it has none."""
    shares = np.linspace(0.0, 1.0, rows).tolist()
    values = [
        {feature.name: _value(feature, share) for feature in schema.features} for share in shares
    ]
    return schema.batch(values).batch


def _value(feature: Feature, share: float) -> Scalar:
    if feature.kind == "string":
        return "warm-up"
    if feature.kind == "bool":
        return share > 0.5
    low = feature.low if feature.low is not None else min(0.0, feature.high or 0.0)
    high = feature.high if feature.high is not None else max(1.0, low)
    value = (1.0 - share) * low + share * high
    return round(value) if feature.kind == "int" else value
