"""What a publisher says about a model before the registry gives it a version."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from modstream.models.schema.artifact import check_size, sha256_of
from modstream.models.schema.card import ModelCard, ModelName, Task
from modstream.models.schema.input_schema import InputSchema, Scalar


class Draft(BaseModel):
    """A card without what publishing adds: version, hash, size, time and signature."""

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

    def card(self, version: int, artifact: bytes) -> ModelCard:
        """Make the unsigned card of this draft as the given version, created now.

        Raises:
            ArtifactTooLarge: the artifact is more than this room handles.
        """
        check_size(len(artifact))
        return ModelCard(
            **dict(self),
            version=version,
            sha256=sha256_of(artifact),
            size=len(artifact),
            created=datetime.now(UTC),
        )

    def is_repeated_by(self, card: ModelCard, artifact: bytes) -> bool:
        """Tell whether `card` is this very draft, published before."""
        return (card.sha256, card.parent, card.offsets) == (
            sha256_of(artifact),
            self.parent,
            self.offsets,
        )
