"""The definitions of a stream's features: opened by the settings, and parsed."""

from typing import NamedTuple

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.feature_definitions import FeatureDefinitionTable
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.files import parse_features
from modstream.settings import Settings


class Definitions(NamedTuple):
    """The features of a stream, and the revision of their definitions."""

    revision: int
    features: FeatureSet


def open_definitions(settings: Settings) -> FeatureDefinitionTable:
    """Return the table with the definitions of the settings' stream."""
    registry = RegistrySettings(prefix=f"{settings.prefix}modstream")
    return FeatureDefinitionTable(settings.redis, registry, settings.stream)


def read_definitions(table: FeatureDefinitionTable, stream: str) -> Definitions | None:
    """Return the definitions of a stream's features; None if it has none.

    Raises:
        RegistryUnavailable: Redis does not answer.
        InvalidFeatures: what is stored is not valid here, as a newer version may have stored it.
    """
    found = table.read()
    if found is None:
        return None
    features = parse_features(found.document, f"revision {found.revision} of {stream}")
    return Definitions(found.revision, features)
