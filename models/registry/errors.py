"""The errors of the model registry.

RegistryError
├── RegistryUnavailable
├── ModelNotFound
├── VersionConflict     the registry is not in the state that the writer expected
├── UnreadableCard      the stored card is damaged or has a format unknown to this code
├── ArtifactDeleted     the card was kept, its artifact was not
├── InvalidAlias        an alias that could be mistaken for something else
└── NothingToRollBack   the alias has no earlier version
"""

from modstream.models.errors import ModelError


class RegistryError(ModelError):
    """The registry cannot perform the requested operation."""


class RegistryUnavailable(RegistryError):
    """Redis is unreachable, too slow, or refuses the command."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the model registry is not available: {reason}")
        self.reason = reason


class ModelNotFound(RegistryError):
    """No such model, version or alias is registered."""

    def __init__(self, name: str, ref: int | str) -> None:
        super().__init__(f"model {name!r} has no version or alias {ref!r}")
        self.name, self.ref = name, ref


class VersionConflict(RegistryError):
    """The registry is not in the state that the writer expected.

    Either it never assigned the number of the new version's parent, as after a loss of data, or
    another writer moved an alias during a rollback.
    """

    def __init__(self, name: str, expected: int | None, found: int | None) -> None:
        super().__init__(
            f"model {name!r} is at version {found}, but the writer expected version {expected}"
        )
        self.name, self.expected, self.found = name, expected, found


class UnreadableCard(RegistryError):
    """The stored card is damaged, or was written by a newer version of this code."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"the card of {name} version {version} cannot be read: {reason}")
        self.name, self.version, self.reason = name, version, reason


class ArtifactDeleted(RegistryError):
    """Retention has deleted the artifact of an old version; its card remains."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"the artifact of {name} version {version} was deleted: retention kept only its card"
        )
        self.name, self.version = name, version


class InvalidAlias(RegistryError):
    """The alias is not a plain lower-case word, or looks like a version number."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"{alias!r} cannot be an alias: use a lower-case word such as champion")
        self.alias = alias


class NothingToRollBack(RegistryError):
    """The alias has not moved, or not since its history was last trimmed."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"the alias {alias!r} of {name} cannot be rolled back: "
            "its history has no version before the current one"
        )
        self.name, self.alias = name, alias
