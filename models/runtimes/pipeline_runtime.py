"""The runtime of pipelines: an artifact is the definition; its models are versions of their own.

A pipeline is data. It cannot predict alone: the inference engine runs its steps with the models
that its batch sees (`modstream.processors.pipeline`).
"""

from dataclasses import dataclass

from modstream.models.errors import InvalidPipeline, UnreadableArtifact
from modstream.models.pipelines.definition import PIPELINE
from modstream.models.pipelines.pipeline import Pipeline, parse_pipeline
from modstream.models.schema.card import ModelCard


@dataclass(frozen=True, slots=True)
class PipelineRuntime:
    """A loaded pipeline."""

    pipeline: Pipeline
    artifact: bytes
    name: str = PIPELINE

    @property
    def models(self) -> tuple[tuple[str, int | str], ...]:
        """The models that its steps ask, each with its version or alias."""
        return self.pipeline.definition.models

    def snapshot(self) -> bytes:
        """Return the artifact."""
        return self.artifact


def load(artifact: bytes, card: ModelCard) -> PipelineRuntime:
    """Parse the definition of a pipeline.

    Raises:
        UnreadableArtifact: it is no valid definition.
    """
    try:
        return PipelineRuntime(parse_pipeline(artifact, card.name), artifact)
    except InvalidPipeline as error:
        raise UnreadableArtifact(card.runtime, str(error)) from None
