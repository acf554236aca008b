"""The definitions of a stream's features: opened by the settings, and parsed."""

from typing import NamedTuple

import structlog

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.feature_definitions import FeatureDefinitionTable
from modstream.processors.errors import InvalidFeatures
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
    return FeatureDefinitionTable(settings.redis_url, registry, settings.stream)


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


class DefinitionReader:
    """Reads the definitions of a stream again and again; a failure is logged once.

    `problem` is the reason why the last attempt failed, or an empty text.
    """

    def __init__(self, table: FeatureDefinitionTable, stream: str) -> None:
        self._table, self._stream = table, stream
        self._log = structlog.get_logger(__name__)
        self.problem = ""

    def read(self) -> Definitions | None:
        """Return the definitions; None if there are none, or if they cannot be read now."""
        try:
            found = read_definitions(self._table, self._stream)
        except (RegistryUnavailable, InvalidFeatures) as error:
            if not self.problem:
                self._log.warning("the definitions of features are not read", cause=str(error))
            self.problem = str(error)
            return None
        self.problem = ""
        return found

    def has_changed(self, known: Definitions) -> bool:
        """Return whether there are other definitions now, or none; false if that is unknown."""
        found = self.read()
        return not self.problem and (found is None or found.revision != known.revision)
