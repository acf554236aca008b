"""Every Redis key of the registry, with its meaning and lifetime; nothing else names a key.

The kind stands before the model's name, so that no name can reach into another model's keys.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys below one prefix; two registries with different prefixes never meet."""

    prefix: str = "modstream"

    @property
    def names(self) -> str:
        """Set of every model name ever published; kept for good."""
        return f"{self.prefix}:names"

    def cards(self, name: str) -> str:
        """Hash of version to card as JSON; a field is written once and kept for good."""
        return f"{self.prefix}:cards:{name}"

    def latest(self, name: str) -> str:
        """The highest version given out so far; kept for good."""
        return f"{self.prefix}:latest:{name}"

    def aliases(self, name: str) -> str:
        """Hash of alias to version; a field moves and never goes away."""
        return f"{self.prefix}:aliases:{name}"

    def history(self, name: str, alias: str) -> str:
        """Stream of the moves of one alias; trimmed to the newest few hundred.

        One stream per alias: a learner that moves `challenger` every few seconds must not push
        the rare moves of `champion` out, or nothing would be left to roll back to.
        """
        return f"{self.prefix}:history:{name}:{alias}"

    def held(self, name: str) -> str:
        """Hash of version to SHA-256 for the versions whose artifact is still stored."""
        return f"{self.prefix}:held:{name}"

    def artifact(self, name: str, sha256: str) -> str:
        """The bytes of an artifact, shared by versions of one model that are equal.

        Deleted with the last held version that needs it.
        """
        return f"{self.prefix}:artifact:{name}:{sha256}"

    @property
    def changes(self) -> str:
        """Pub/sub channel that carries the name of a model that changed: a hint, never stored."""
        return f"{self.prefix}:changes"
