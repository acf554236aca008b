"""The names of a stream's features, for those who describe what a client has to send."""

from typing import Self

from modstream.features.definitions import DefinitionReader, open_definitions
from modstream.settings import Settings


class FeatureNames:
    """Reads the names of the features that the workers of a stream add to requests."""

    def __init__(self, settings: Settings) -> None:
        self._table = open_definitions(settings)
        self._definitions = DefinitionReader(self._table, settings.stream)
        self._known: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.__exit__()

    def read(self) -> frozenset[str]:
        """Return the names; those of the last call if the definitions cannot be read now."""
        found = self._definitions.read()
        if found is not None:
            self._known = frozenset(found.features.names)
        elif not self._definitions.problem:
            self._known = frozenset()
        return self._known


def feature_names(settings: Settings) -> frozenset[str]:
    """Return the names of the features of the settings' stream; none if they cannot be read."""
    with FeatureNames(settings) as names:
        return names.read()
