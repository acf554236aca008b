"""The errors of the model registry.

RegistryError
├── RegistryUnavailable
│   └── RegistryLoginRefused  the login, or the certificate of one of both, is not accepted
├── ModelNotFound
├── UntrustedAlias      the last move of the alias is not signed by a trusted key
├── SigningKeyMissing   signatures are checked, and the writer has no key to sign with
├── BrokenAlias         the alias points at a version that is not registered
├── VersionConflict     the registry is not in the state that the writer expected
├── AliasMoved          another writer moved the alias since the writer last saw it
├── CalibrationMoved    another calibrator has written the state of a stream's conformal sets
├── UnreadableCard      the stored card is damaged or has a format unknown to this code
├── ArtifactDeleted     the card was kept, its artifact was not
├── InvalidAlias        an alias that could be mistaken for something else
├── BackupMissing       the folder of backups does not have the version
└── NothingToRollBack   the alias has no earlier version
"""

from collections.abc import Sequence
from pathlib import Path

from modstream.models.errors import ModelError


class RegistryError(ModelError):
    """The registry cannot perform the requested operation."""


class RegistryUnavailable(RegistryError):
    """Redis is unreachable, too slow, or refuses the command."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the model registry is not available: {reason}")
        self.reason = reason


class RegistryLoginRefused(RegistryUnavailable):
    """The login to Redis, or the certificate of one of both, is not accepted."""


class ModelNotFound(RegistryError):
    """No such model, version or alias is registered."""

    def __init__(self, name: str, ref: int | str) -> None:
        super().__init__(f"model {name!r} has no version or alias {ref!r}")
        self.name, self.ref = name, ref


class UntrustedAlias(RegistryError):
    """The last move of an alias is not signed by a trusted key, or an older one was put back."""

    def __init__(self, name: str, alias: str, reason: str) -> None:
        super().__init__(
            f"the alias {alias!r} of {name} is not trusted: {reason}; a publisher can move it "
            f"with `modstream models promote {name} VERSION`"
        )
        self.name, self.alias, self.reason = name, alias, reason


class SigningKeyMissing(RegistryError):
    """Trusted keys are configured, and this writer could only write what is not trusted."""

    def __init__(self) -> None:
        super().__init__(
            "a model, or the move of an alias, that is not signed would not be trusted here: set "
            "`signing_key`"
        )


class BrokenAlias(RegistryError):
    """The alias points at a version that is not registered, as after a manual change in Redis."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"the alias {alias!r} of {name} points at a version that is not registered: move it "
            f"with `modstream models promote {name} VERSION`"
        )
        self.name, self.alias = name, alias


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


class AliasMoved(RegistryError):
    """The alias points at another version than the writer last saw there; nothing was changed."""

    def __init__(self, name: str, alias: str, expected: int, found: int) -> None:
        super().__init__(
            f"the {alias} of {name} is {_version(found)}, not {_version(expected)}: another writer"
            " has moved it"
        )
        self.name, self.alias, self.expected, self.found = name, alias, expected, found


class CalibrationMoved(RegistryError):
    """Another calibrator has written the state of a stream; nothing was written."""

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(
            f"the conformal sets of the stream {stream} have the revision {found}, and this"
            f" calibrator wrote {expected}: run one calibrator for each stream"
        )
        self.stream, self.expected, self.found = stream, expected, found


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


class BackupMissing(RegistryError):
    """The folder of backups does not have the version; aliases are in Redis only."""

    def __init__(self, folder: Path, name: str, ref: int | str, versions: Sequence[int]) -> None:
        stored = ", ".join(map(str, versions)) or "none"
        super().__init__(
            f"{folder} has no backup of version {ref!r} of {name}; of its versions it has {stored}."
            " Aliases are not part of a backup"
        )
        self.name, self.ref = name, ref


class NothingToRollBack(RegistryError):
    """The alias has not moved, or not since its history was last trimmed."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"the alias {alias!r} of {name} cannot be rolled back: "
            "its history has no version before the current one"
        )
        self.name, self.alias = name, alias


def _version(number: int) -> str:
    """Return how a message calls the version that an alias points at; 0 if there is no alias."""
    return f"version {number}" if number else "no version"
