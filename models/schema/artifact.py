"""The serialized bytes of a model, identified by their SHA-256 and bounded in size."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from modstream.models.errors import ArtifactTooLarge, HashMismatch
from modstream.models.schema.card import ModelCard

MAX_ARTIFACT_BYTES = 512 * 1024 * 1024
"""The largest artifact, packed or unpacked; it is also the largest value that Redis holds."""


@dataclass(frozen=True)
class Artifact:
    """The serialized bytes of a model. Their SHA-256 is computed at most once."""

    content: bytes

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the content in lower-case hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content)

    def check_size(self) -> None:
        """Raise if the content is larger than the registry can hold.

        Raises:
            ArtifactTooLarge: it has more than `MAX_ARTIFACT_BYTES` bytes.
        """
        check_artifact_size(self.size)

    def verify(self, card: ModelCard) -> None:
        """Raise if the content is not the artifact that the card describes.

        Raises:
            ArtifactTooLarge: it has more than `MAX_ARTIFACT_BYTES` bytes.
            HashMismatch: its SHA-256 is not the one in the card.
        """
        self.check_size()
        if self.sha256 != card.sha256:
            raise HashMismatch(card.sha256, self.sha256)


def check_artifact_size(size: int, limit: int = MAX_ARTIFACT_BYTES) -> None:
    """Raise if a size in bytes is above the limit.

    Raises:
        ArtifactTooLarge: `size` is greater than `limit`.
    """
    if size > limit:
        raise ArtifactTooLarge(size, limit)
