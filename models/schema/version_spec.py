"""The description of a model version before the registry publishes it."""

import json
from datetime import UTC, datetime

from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, VersionFields


class VersionSpec(VersionFields):
    """A model card without the fields that publishing adds.

    These are the version, the artifact's hash and size, the creation time and the signature.
    """

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
        """Return whether `card` was made from this spec and artifact.

        What a trial measured, sample rows, metrics and the libraries' releases do not matter: they
        describe the same version.
        """
        return card.sha256 == artifact.sha256 and _description(card) == _description(self)


_DESCRIBED = {
    "runtime",
    "task",
    "classes",
    "scores",
    "targets",
    "input_schema",
    "input_tensors",
} | {*("output_tensors", "parent", "offsets", "note")}


def _description(version: VersionFields) -> str:
    """Return what makes a version another one, as JSON: in Python the class 1 equals True."""
    return json.dumps(version.model_dump(mode="json", include=_DESCRIBED), sort_keys=True)
