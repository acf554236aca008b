"""Who published a model: Ed25519 signatures over cards (RFC 8032).

A card names its artifact by SHA-256, so that its signature covers the bytes as well.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modstream.models.errors import UntrustedModel
from modstream.models.schema.card import ModelCard


class SigningKey:
    """A publisher's private key; it is never printed and never leaves its file."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> Self:
        """Make a new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key that `save` wrote; ValueError if the file holds none."""
        return cls(Ed25519PrivateKey.from_private_bytes(_decoded(path.read_text().strip())))

    def save(self, path: Path) -> None:
        """Write the key as base64 to a new file that only its owner can read.

        Raises:
            FileExistsError: there is a file already; a key is never overwritten.
        """
        created = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(created, "w") as file:
            file.write(b64encode(self._private.private_bytes_raw()).decode() + "\n")

    @property
    def public(self) -> str:
        """The key that verifies this one's signatures, in base64: what `Trust` takes."""
        return b64encode(self._private.public_key().public_bytes_raw()).decode()

    def sign(self, card: ModelCard) -> ModelCard:
        """Sign a card; a signature that it may already have is replaced."""
        signature = b64encode(self._private.sign(card.canonical())).decode()
        return card.model_copy(update={"signature": signature})


class Trust:
    """The publishers whose models may run here.

    With no keys every model is trusted, signed or not: that is for development, where whoever
    can write to the registry may already do as they like.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Take public keys in base64; ValueError if one of them is none."""
        self._keys = tuple(Ed25519PublicKey.from_public_bytes(_decoded(key)) for key in keys)

    @property
    def is_blind(self) -> bool:
        """Whether every model is trusted, because there are no keys."""
        return not self._keys

    def verify(self, card: ModelCard) -> None:
        """Refuse a card that no trusted key has signed as it stands.

        Raises:
            UntrustedModel: there is no signature, or not by a trusted key over this content.
        """
        if self.is_blind:
            return
        if card.signature is None:
            raise UntrustedModel(card.name, card.version, "it is not signed")
        if not any(_verifies(key, card) for key in self._keys):
            reason = "no trusted key has signed this content"
            raise UntrustedModel(card.name, card.version, reason)


def _verifies(key: Ed25519PublicKey, card: ModelCard) -> bool:
    try:
        key.verify(b64decode(card.signature or "", validate=True), card.canonical())
    except (InvalidSignature, NotBase64, ValueError):
        return False
    return True


def _decoded(text: str) -> bytes:
    return b64decode(text, validate=True)
