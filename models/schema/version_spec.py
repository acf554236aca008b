"""The description of a model version before the registry publishes it."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, ModelName, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import InputSchema


class VersionSpec(BaseModel):
    """A model card without the fields that publishing adds.

    These are the version, the artifact's hash and size, the creation time and the signature.
    """

    model_config = ConfigDict(frozen=True)

    name: ModelName
    runtime: str
    task: Task
    classes: tuple[Scalar, ...] = ()
    input_schema: InputSchema
    parent: int | None = None
    metrics: dict[str, FiniteFloat] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    offsets: dict[str, int] = Field(default_factory=dict)
    note: str = ""

    def make_card(self, version: int, artifact: Artifact) -> ModelCard:
        """Return the unsigned card of this spec as the given version, created now.

        Raises:
            ArtifactTooLarge: the artifact is larger than the registry can hold.
        """
        artifact.check_size()
        return ModelCard(
            **dict(self),
            version=version,
            sha256=artifact.sha256,
            size=artifact.size,
            created=datetime.now(UTC),
        )

    def is_published_as(self, card: ModelCard, artifact: Artifact) -> bool:
        """Return whether `card` was made from this spec and artifact."""
        return (card.sha256, card.parent, card.offsets) == (
            artifact.sha256,
            self.parent,
            self.offsets,
        )
