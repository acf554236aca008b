"""The result of an import: what the registry needs in order to publish a model."""

from typing import NamedTuple

from modstream.models.schema.version_spec import VersionSpec


class ImportedModel(NamedTuple):
    """The description of a version and its artifact, ready to be published."""

    spec: VersionSpec
    artifact: bytes
