"""Every Redis key of the registry, with its content and lifetime. No other module names a key.

The kind of a key precedes the model's name, so a name cannot collide with another model's keys.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistryKeys:
    """The keys below one prefix; registries with different prefixes share no key."""

    prefix: str = "modstream"

    @property
    def names(self) -> str:
        """Set of the names of all models ever published; never deleted."""
        return f"{self.prefix}:names"

    def cards(self, name: str) -> str:
        """Hash of version to card as JSON; a field is written once and never deleted."""
        return f"{self.prefix}:cards:{name}"

    def latest(self, name: str) -> str:
        """Integer: the highest version number assigned so far; never deleted."""
        return f"{self.prefix}:latest:{name}"

    def aliases(self, name: str) -> str:
        """Hash of alias to version; a field changes but is never deleted."""
        return f"{self.prefix}:aliases:{name}"

    def moves(self, name: str) -> str:
        """Hash of alias to its last move as signed JSON; a field changes with its alias.

        A move that is not signed deletes the field.
        """
        return f"{self.prefix}:moves:{name}"

    def history(self, name: str, alias: str) -> str:
        """Stream of the moves of one alias, trimmed to the newest few hundred.

        Each alias has its own stream. In a shared one, a learner that moves `challenger` every few
        seconds would push out the rare moves of `champion`, which rollbacks need.
        """
        return f"{self.prefix}:history:{name}:{alias}"

    def stored_artifacts(self, name: str) -> str:
        """Hash of version to SHA-256 for the versions whose artifact is still stored."""
        return f"{self.prefix}:held:{name}"

    def artifact(self, name: str, sha256: str) -> str:
        """String: the bytes of an artifact, shared by all versions with the same bytes.

        Deleted together with the last entry of `stored_artifacts` that refers to it.
        """
        return f"{self.prefix}:artifact:{name}:{sha256}"

    def conformal(self, stream: str) -> str:
        """Hash of the calibrator's state of a stream; replaced as a whole, never deleted."""
        return f"{self.prefix}:conformal:{stream}"

    def features(self, stream: str) -> str:
        """Hash of the definitions of a stream's features, and their revision; until removed."""
        return f"{self.prefix}:features:{stream}"

    @property
    def api_keys(self) -> str:
        """Hash of an API key's name to its document, which has the key's hash; until revoked."""
        return f"{self.prefix}:api-keys"

    @property
    def changes(self) -> str:
        """Pub/sub channel for the names of changed models; its messages are not stored."""
        return f"{self.prefix}:changes"
