"""Drafts of one small model, and what the tests of the registry do with them."""

from modstream.models.errors import ArtifactGone
from modstream.models.registry.registry import Draft, Registry
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema


def draft(name: str = "flights", offset: int = 0, parent: int | None = None) -> Draft:
    return Draft(
        name=name,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.floats(["distance"]),
        parent=parent,
        metrics={"log_loss": 0.49},
        libraries={"river": "0.26.1"},
        offsets={"flights.feedback:0": offset},
        note="prequential",
    )


def publish(registry: Registry, number: int, alias: str | None = "champion") -> int:
    """Publish an artifact of its own for each number."""
    return registry.publish(draft(offset=number), b"model %d" % number, alias=alias).version


def artifacts(registry: Registry) -> list[int]:
    """The versions whose artifact can still be fetched."""
    return [card.version for card in registry.versions("flights") if has_artifact(registry, card)]


def has_artifact(registry: Registry, card: ModelCard) -> bool:
    try:
        registry.artifact(card)
    except ArtifactGone:
        return False
    return True
