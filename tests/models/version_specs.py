"""Specs and artifacts of one small model, for tests of the registry."""

from modstream.models.registry.errors import ArtifactDeleted
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec


def version_spec(name: str = "flights", offset: int = 0, parent: int | None = None) -> VersionSpec:
    return VersionSpec(
        name=name,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.of_floats(["distance"]),
        parent=parent,
        metrics={"log_loss": 0.49},
        libraries={"river": "0.26.1"},
        offsets={"flights.feedback:0": offset},
        note="prequential",
    )


def publish_version(registry: Registry, number: int, alias: str | None = "champion") -> int:
    """Publish a version with a different artifact for each number; return the version."""
    return registry.publish(version_spec(offset=number), b"model %d" % number, alias=alias).version


def versions_with_artifact(registry: Registry) -> list[int]:
    """Return the versions whose artifact can still be fetched."""
    return [card.version for card in registry.versions("flights") if has_artifact(registry, card)]


def has_artifact(registry: Registry, card: ModelCard) -> bool:
    try:
        registry.artifact(card)
    except ArtifactDeleted:
        return False
    return True
