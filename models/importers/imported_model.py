"""The result of an import: what the registry needs in order to publish a model."""

from typing import NamedTuple

from modstream.models.schema.version_spec import VersionSpec
from modstream.models.trial.samples import OriginalOutputs, Samples

__all__ = ["ImportedModel", "OriginalOutputs", "Samples"]


class ImportedModel(NamedTuple):
    """The description of a version and its artifact, ready to be published after a trial.

    Without `samples` the trial predicts synthetic rows of the input schema and compares nothing.
    """

    spec: VersionSpec
    artifact: bytes
    samples: Samples | None = None
