"""The bytes of a model: their name is their hash, and they have a largest size."""

import hashlib

from modstream.models.errors import ArtifactTooLarge, HashMismatch
from modstream.models.schema.card import ModelCard

MAX_ARTIFACT_BYTES = 512 * 1024 * 1024
"""The largest artifact, packed or unpacked; it is also the largest value that Redis holds."""


def sha256_of(artifact: bytes) -> str:
    """Compute the name of an artifact: its SHA-256 in lower-case hex."""
    return hashlib.sha256(artifact).hexdigest()


def check_size(size: int, limit: int = MAX_ARTIFACT_BYTES) -> None:
    """Refuse a size above the limit, in bytes.

    Raises:
        ArtifactTooLarge: it is above.
    """
    if size > limit:
        raise ArtifactTooLarge(size, limit)


def verify(artifact: bytes, card: ModelCard) -> None:
    """Refuse bytes that are not the ones the card describes.

    Raises:
        ArtifactTooLarge: they are more than this room handles.
        HashMismatch: they have another SHA-256.
    """
    check_size(len(artifact))
    found = sha256_of(artifact)
    if found != card.sha256:
        raise HashMismatch(card.sha256, found)
